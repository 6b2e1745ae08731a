//! How far long work on the command line got.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of so many steps; seen on a terminal only.
pub fn bar(steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len}  {per_sec}  {eta} left");
    ProgressBar::new(steps).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
