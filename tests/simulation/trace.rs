//! The trace of a simulation, to find out why a seed failed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::time::{DAY, HOUR, MINUTE, SECOND, Time};

/// Lines that are kept: the last renewals, with all that went wrong about them.
const MAX_LINES: usize = 400;

/// The trace of one simulation. Texts are made only where they are kept.
pub struct Trace {
    time: Rc<Time>,
    lines: RefCell<VecDeque<String>>,
    is_kept: bool,
}

impl Trace {
    /// An empty one.
    pub fn new(time: &Rc<Time>, is_kept: bool) -> Self {
        Self { time: time.clone(), lines: RefCell::default(), is_kept }
    }

    /// Notes an event.
    pub fn note(&self, text: impl FnOnce() -> String) {
        if !self.is_kept {
            return;
        }
        let now = self.time.now();
        let (days, hours, minutes) = (now / DAY, now % DAY / HOUR, now % HOUR / MINUTE);
        let line =
            format!("{days:3}d {hours:02}:{minutes:02}:{:06.3}  {}", (now % MINUTE) as f64 / SECOND as f64, text());
        let mut lines = self.lines.borrow_mut();
        if lines.len() >= MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// All that is kept.
    pub fn text(&self) -> String {
        self.lines.borrow().iter().fold(String::new(), |text, line| text + line + "\n")
    }
}
