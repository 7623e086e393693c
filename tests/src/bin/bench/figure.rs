//! A measured figure, its goal, and the table of all.

use serde::Serialize;

/// A measured figure.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// The value of the baseline, in the same unit, measured in the same run.
    pub(crate) baseline: Option<f64>,
    /// The value by the baseline.
    pub(crate) ratio: Option<f64>,
    /// The goal in words.
    pub(crate) goal: String,
    pub(crate) met: bool,
}

/// The goal of a figure.
pub(crate) enum Goal {
    /// No goal: the figure is only reported.
    None,
    /// The ratio should be this or more.
    RatioAtLeast(f64),
    /// The ratio should be this or less.
    RatioAtMost(f64),
    /// The value should be this or less.
    ValueAtMost(f64),
}

impl Figure {
    pub(crate) fn new(name: &str, value: f64, unit: &'static str, baseline: Option<f64>, goal: &Goal) -> Self {
        let ratio = baseline.map(|baseline| value / baseline);
        let ratio_or_nan = ratio.unwrap_or(f64::NAN);
        let (goal, met) = match goal {
            Goal::None => (String::new(), true),
            Goal::RatioAtLeast(least) => (format!("ratio ≥ {least}"), ratio_or_nan >= *least),
            Goal::RatioAtMost(most) => (format!("ratio ≤ {most}"), ratio_or_nan <= *most),
            Goal::ValueAtMost(most) => (format!("≤ {most} {unit}"), value <= *most),
        };
        Self { name: name.to_owned(), value, unit, baseline, ratio, goal, met }
    }
}

/// The table of all figures, one a line.
pub(crate) fn table(figures: &[Figure]) -> String {
    let width = figures.iter().map(|figure| figure.name.chars().count()).max().unwrap_or_default();
    let mut lines =
        vec![format!("{:width$}  {:>12} {:6} {:>12} {:>7}  goal", "figure", "value", "unit", "baseline", "ratio")];
    for Figure { name, value, unit, baseline, ratio, goal, met } in figures {
        let show = |number: &Option<f64>, digits: usize| number.map_or("-".to_owned(), |n| format!("{n:.digits$}"));
        let digits = if *value < 100.0 { 3 } else { 0 };
        let mark = match (goal.is_empty(), met) {
            (true, _) => "",
            (_, true) => "met",
            (_, false) => "MISSED",
        };
        let baseline = show(baseline, digits);
        let ratio = show(ratio, 2);
        lines.push(format!("{name:width$}  {value:>12.digits$} {unit:6} {baseline:>12} {ratio:>7}  {goal} {mark}"));
    }
    lines.join("\n")
}

/// The middle of the values; their mean where two are in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle.wrapping_sub(1)), sorted.get(middle)) {
        (Some(below), Some(above)) if sorted.len().is_multiple_of(2) => (below + above) / 2.0,
        (_, Some(value)) => *value,
        _ => f64::NAN,
    }
}
