fn main() {
    println!("{}", timed::vowels(&timed::sample(100_000)));
}
