//! Totals by name, in a table with open addressing.

pub struct Groups {
    slots: Vec<Option<(Vec<u8>, u64)>>,
    used: usize,
}

impl Groups {
    pub fn new() -> Self {
        Self { slots: vec![None; 64], used: 0 }
    }

    pub fn add(&mut self, name: &[u8], amount: u64) {
        if self.used * 2 > self.slots.len() {
            self.grow();
        }
        let place = self.find(name);
        match &mut self.slots[place] {
            Some((_, total)) => *total += amount,
            empty => {
                *empty = Some((name.to_vec(), amount));
                self.used += 1;
            }
        }
    }

    /// The largest first.
    pub fn sorted(&self) -> Vec<(&[u8], u64)> {
        let mut found: Vec<_> = self.slots.iter().flatten().map(|(name, total)| (&name[..], *total)).collect();
        found.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(right.0)));
        found
    }

    fn find(&self, name: &[u8]) -> usize {
        let mut place = hash(name) as usize & (self.slots.len() - 1);
        while self.slots[place].as_ref().is_some_and(|(other, _)| other != name) {
            place = (place + 1) & (self.slots.len() - 1);
        }
        place
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.slots);
        self.slots = vec![None; old.len() * 2];
        for slot in old.into_iter().flatten() {
            let place = self.find(&slot.0);
            self.slots[place] = Some(slot);
        }
    }
}

fn hash(name: &[u8]) -> u64 {
    name.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
