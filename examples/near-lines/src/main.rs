//! `near-lines FILE`: prints how many lines of a text have a near copy, and the nearest pairs.
//!
//! Every line becomes a set of three-letter shingles, and every set a short sketch (MinHash). Lines whose sketches agree
//! in one band are compared for real. All of that runs on all cores.

mod sketch;

use std::collections::HashMap;

use rayon::prelude::*;
use sketch::{similarity, Sketch};

const NEAR: f64 = 0.6;
const SHOWN: usize = 10;

fn main() {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: near-lines FILE");
        std::process::exit(2);
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("near-lines: {}: {error}", path.to_string_lossy());
            std::process::exit(1);
        }
    };
    let lines: Vec<&str> = text.lines().collect();
    let sketches: Vec<Sketch> = lines.par_iter().map(|line| Sketch::of(line)).collect();
    let mut pairs = near_pairs(&lines, &candidates(&sketches));
    pairs.par_sort_unstable_by(|left, right| {
        right
            .similarity
            .total_cmp(&left.similarity)
            .then(left.lines.cmp(&right.lines))
    });
    println!("{} lines, {} near pairs", lines.len(), pairs.len());
    for pair in pairs.iter().take(SHOWN) {
        println!("{:.3} {} {}", pair.similarity, pair.lines.0 + 1, pair.lines.1 + 1);
    }
}

struct Pair {
    lines: (usize, usize),
    similarity: f64,
}

/// The pairs of lines that have a band in common, each once.
fn candidates(sketches: &[Sketch]) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = (0..sketch::BANDS)
        .into_par_iter()
        .flat_map_iter(|band| {
            let mut by_value: HashMap<u64, Vec<usize>> = HashMap::new();
            for (line, sketch) in sketches.iter().enumerate() {
                by_value.entry(sketch.band(band)).or_default().push(line);
            }
            by_value.into_values().flat_map(pairs_of)
        })
        .collect();
    found.par_sort_unstable();
    found.dedup();
    found
}

fn pairs_of(lines: Vec<usize>) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (position, &left) in lines.iter().enumerate() {
        pairs.extend(lines[position + 1..].iter().map(|&right| (left, right)));
    }
    pairs
}

fn near_pairs(lines: &[&str], candidates: &[(usize, usize)]) -> Vec<Pair> {
    candidates
        .par_iter()
        .map(|&(left, right)| Pair {
            lines: (left, right),
            similarity: similarity(lines[left], lines[right]),
        })
        .filter(|pair| pair.similarity >= NEAR)
        .collect()
}
