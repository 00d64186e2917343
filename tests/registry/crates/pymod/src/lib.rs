//! Counts what Python would count slowly.

use pyo3::prelude::*;

/// How many steps all numbers below one take to 1 by the rule of Collatz.
#[pyfunction]
fn steps(below: u64) -> u64 {
    (1..below).map(length).sum()
}

fn length(mut number: u64) -> u64 {
    let mut steps = 0;
    while number > 1 {
        number = if number % 2 == 0 { number / 2 } else { 3 * number + 1 };
        steps += 1;
    }
    steps
}

#[pymodule]
fn pymod(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(steps, module)?)
}
