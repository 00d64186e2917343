//! What the service computes: totals by customer, the largest first.

use std::collections::HashMap;

use serde_json::{json, Value};

/// Sum up a JSON array of orders, each with a `customer` and `lines` of `{"article", "quantity", "cents"}`.
pub fn totals(body: &[u8]) -> Result<Vec<u8>, String> {
    let orders: Vec<Value> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let mut by_customer: HashMap<&str, (u64, u64)> = HashMap::new();
    for (number, order) in orders.iter().enumerate() {
        let customer = order["customer"]
            .as_str()
            .ok_or_else(|| format!("order {number} has no customer"))?;
        let cents = order["lines"]
            .as_array()
            .ok_or_else(|| format!("order {number} has no lines"))?
            .iter()
            .map(|line| line_cents(line).ok_or_else(|| format!("a line of order {number} has no price")))
            .sum::<Result<u64, String>>()?;
        let entry = by_customer.entry(customer).or_default();
        entry.0 += 1;
        entry.1 += cents;
    }
    let mut sorted: Vec<_> = by_customer.into_iter().collect();
    sorted.sort_unstable_by(|left, right| right.1 .1.cmp(&left.1 .1).then(left.0.cmp(right.0)));
    let answer: Vec<Value> = sorted
        .into_iter()
        .map(|(customer, (count, cents))| json!({"customer": customer, "orders": count, "total": price(cents)}))
        .collect();
    serde_json::to_vec(&answer).map_err(|error| error.to_string())
}

fn line_cents(line: &Value) -> Option<u64> {
    Some(line["quantity"].as_u64()? * line["cents"].as_u64()?)
}

fn price(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
