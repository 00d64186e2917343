//! One reading of a weather station.

use wire::Wire;

/// What a station reported.
#[derive(Debug, Clone, PartialEq, Eq, Wire)]
pub struct Reading {
    /// Seconds since the station's clock was set.
    pub time: u64,
    /// The number of the station.
    pub station: u32,
    /// Hundredths of a degree Celsius.
    pub temperature: i32,
    /// Relative humidity in percent; None where the station has no such sensor.
    pub humidity: Option<u8>,
    /// How far it can be trusted.
    pub quality: Quality,
    /// What the observer wrote.
    pub note: String,
}

/// How far a reading can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Wire)]
pub enum Quality {
    /// Checked.
    Good,
    /// Outside of what neighbours report.
    Suspect,
    /// Filled in from neighbours.
    Estimated,
}
