//! The caller's seconds as the engine's instants: the only instant that is ever read is where counting begins.

use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Some ten years: an instant can't be any number of seconds away.
pub const LONGEST: f64 = 3.2e8;

/// A clock that the caller moves.  It never goes back: an earlier time is taken for the newest.
pub struct Clock {
    base: Instant,
    start: f64,
    now: f64,
}

impl Clock {
    pub fn new(now: f64) -> PyResult<Self> {
        if !now.is_finite() {
            return Err(PyValueError::new_err("now is a finite number of seconds"));
        }
        Ok(Self {
            base: Instant::now(),
            start: now,
            now,
        })
    }

    /// Where counting begins.
    pub fn start(&self) -> Instant {
        self.base
    }

    /// It is this late now.
    pub fn pass(&mut self, now: f64) -> PyResult<Instant> {
        if !now.is_finite() || now - self.start > LONGEST {
            return Err(PyValueError::new_err("now is a finite number of seconds, of one clock"));
        }
        self.now = self.now.max(now);
        Ok(self.base + Duration::from_secs_f64(self.now - self.start))
    }

    /// An instant in the caller's seconds.
    pub fn seconds(&self, at: Instant) -> f64 {
        self.start + at.saturating_duration_since(self.base).as_secs_f64()
    }
}
