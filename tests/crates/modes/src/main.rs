//! Does one of three things with the numbers in a file: who is trained on one of them knows nothing of the others.

#[inline(never)]
fn sum(numbers: &[u64]) -> u64 {
    (1..200).map(|round| numbers.iter().map(|n| (n * round) % 1009).sum::<u64>()).sum()
}

#[inline(never)]
fn collatz(numbers: &[u64]) -> u64 {
    let mut steps = 0;
    for &number in numbers {
        let mut value = number;
        while value > 1 {
            value = if value % 2 == 0 { value / 2 } else { 3 * value + 1 };
            steps += 1;
        }
    }
    steps
}

#[inline(never)]
fn sort(numbers: &[u64]) -> u64 {
    let mut sorted = numbers.to_vec();
    for end in (1..sorted.len()).rev() {
        for index in 0..end {
            if sorted[index] > sorted[index + 1] {
                sorted.swap(index, index + 1);
            }
        }
    }
    sorted.iter().zip(0..).map(|(number, place)| number * place % 1013).sum()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let text = std::fs::read_to_string(&arguments[2]).expect("cannot read the file");
    let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    let answer = match arguments[1].as_str() {
        "sum" => sum(&numbers),
        "collatz" => collatz(&numbers),
        "sort" => sort(&numbers),
        other => panic!("no mode {other}"),
    };
    println!("{answer}");
}
