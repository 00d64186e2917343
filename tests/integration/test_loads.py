"""Load generators that run for a fixed time: what they report is what is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.optbuild_program import VARIANTS, Optbuild

pytestmark = [pytest.mark.pgo, pytest.mark.loads]

SERVER = """\
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

fn answer(stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let (mut keeps, mut total) = (true, 0_u64);
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if line.starts_with("GET ") {
            keeps = line.ends_with("HTTP/1.1");
            total = (1..2_000_u64).filter(|number| number.count_ones() % 3 == 0).sum();
        } else if line.is_empty() {
            let body = format!("{total}\\n");
            write!(writer, "HTTP/1.1 200 OK\\r\\nContent-Length: {}\\r\\n\\r\\n{body}", body.len())?;
            if !keeps {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn main() {
    let port: u16 = std::env::args().nth(1).unwrap().parse().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    println!("listening");
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || answer(stream));
    }
}
"""
TABLE = """\
[[workloads]]
name = "requests"
server = ["{bin}", "{port}"]
ready = { stdout = "listening" }
load = ["wrk", "-t1", "-c2", "-d1s", "--latency", "http://127.0.0.1:{port}/"]
[measure]
max-time = "10s"
"""


def test_a_load_of_fixed_duration_is_measured_by_its_time_per_request(optbuild: Optbuild, tmp_path: Path) -> None:
    """By its own report, which is shown as well; that all answers were good is what is compared."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.rs").write_text(SERVER)
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "serve"\nversion = "1.0.0"\nedition = "2021"\n')
    (tmp_path / "optbuild.toml").write_text(f"schema = 1\n{VARIANTS}{TABLE}")
    document = optbuild.run("pgo", "--json", cwd=tmp_path).expect(0).document
    cell = "requests/time per request"
    assert {item["workload"] for item in document["benchmarks"]} == {cell}
    for item in document["resources"]:
        assert item["workload"] == cell
        assert item["median_s"] * item["load"]["requests_per_s"] == pytest.approx(1, rel=0.5)
        assert item["load"]["latency_p99_s"] > 0
    assert {item["equal"] for item in document["outputs"]} == {True}
    assert cell in " ".join(optbuild.run("report", cwd=tmp_path).expect(0).stdout.split())
