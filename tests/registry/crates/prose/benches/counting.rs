//! Two benchmarks in a group, and one that stands alone.

use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion};
use std::hint::black_box;
use std::time::Duration;

fn count(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("count");
    for words in [10, 1000] {
        let text = prose::sample(words);
        group.bench_with_input(BenchmarkId::from_parameter(words), &text, |bencher, text| {
            bencher.iter(|| prose::count(black_box(text)))
        });
    }
    group.finish();
}

fn vowels(criterion: &mut Criterion) {
    let text = prose::sample(1000);
    criterion.bench_function("vowels", |bencher| bencher.iter(|| prose::vowels(black_box(&text))));
}

/// Short, because what is tested is how samples are read, and not what they say.
fn briefly() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
}

criterion_group! {
    name = benches;
    config = briefly();
    targets = count, vowels
}
criterion_main!(benches);
