//! One benchmark with two arguments, and one that stands alone in a module.

fn main() {
    divan::main();
}

#[divan::bench(args = [10, 1000])]
fn vowels(bencher: divan::Bencher, words: usize) {
    let text = timed::sample(words);
    bencher.bench_local(|| timed::vowels(divan::black_box(&text)));
}

mod making {
    #[divan::bench]
    fn sample() -> String {
        timed::sample(divan::black_box(1000))
    }
}
