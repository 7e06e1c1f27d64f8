//! Plots as SVG, drawn from numbers and nothing else. Colours are classes: the page decides what they look like.

use std::fmt::Write;

/// Width of every plot, in its own units.
pub const WIDTH: f64 = 860.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 34.0;

/// A plot with a horizontal and a vertical axis.
pub struct Plot {
    svg: String,
    height: f64,
    x: (f64, f64),
    y: (f64, f64),
}

impl Plot {
    /// An empty plot; `what` is read out to who cannot see it.
    pub fn new(what: &str, height: f64, x: (f64, f64), y: (f64, f64)) -> Self {
        let mut svg = String::new();
        put(&mut svg, format_args!(r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{}">"#, escape(what)));
        Self { svg, height, x, y }
    }

    fn at_x(&self, value: f64) -> f64 {
        let (from, to) = self.x;
        LEFT + (value - from) / (to - from).max(1e-9) * (WIDTH - LEFT - RIGHT)
    }

    fn at_y(&self, value: f64) -> f64 {
        let (from, to) = self.y;
        let foot = self.height - BOTTOM;
        foot - (value.clamp(from, to) - from) / (to - from).max(1e-9) * (foot - TOP)
    }

    /// Marks on the horizontal axis, and what it counts.
    pub fn x_axis(mut self, step: f64, unit: &str) -> Self {
        let foot = self.height - BOTTOM;
        let mut value = (self.x.0 / step).ceil() * step;
        while value <= self.x.1 + 1e-9 {
            let x = self.at_x(value);
            put(
                &mut self.svg,
                format_args!(r#"<line class="tick" x1="{x:.1}" x2="{x:.1}" y1="{foot}" y2="{}"/>"#, foot + 4.0),
            );
            self.text(x, foot + 17.0, "middle", "mark", &plain(value));
            value += step;
        }
        self.text(WIDTH - RIGHT, self.height - 3.0, "end", "unit", unit);
        self
    }

    /// Lines across at these values, and what the vertical axis counts.
    pub fn y_axis(mut self, marks: &[(f64, &str)], unit: &str) -> Self {
        for (value, label) in marks {
            let y = self.at_y(*value);
            put(
                &mut self.svg,
                format_args!(r#"<line class="grid" x1="{LEFT}" x2="{:.1}" y1="{y:.1}" y2="{y:.1}"/>"#, WIDTH - RIGHT),
            );
            self.text(LEFT - 7.0, y + 3.5, "end", "mark", label);
        }
        self.text(2.0, self.height - 3.0, "start", "unit", unit);
        self
    }

    /// A surface between a line and a base.
    pub fn area(mut self, class: &str, points: &[(f64, f64)], base: f64) -> Self {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return self };
        let foot = self.at_y(base);
        let mut path = format!("M{:.1} {foot:.1}", self.at_x(first.0));
        for (x, y) in points {
            put(&mut path, format_args!("L{:.1} {:.1}", self.at_x(*x), self.at_y(*y)));
        }
        put(&mut path, format_args!("L{:.1} {foot:.1}Z", self.at_x(last.0)));
        put(&mut self.svg, format_args!(r#"<path class="area {class}" d="{path}"/>"#));
        self
    }

    /// A line.
    pub fn line(mut self, class: &str, points: &[(f64, f64)]) -> Self {
        let mut path = String::new();
        for (n, (x, y)) in points.iter().enumerate() {
            let pen = if n == 0 { 'M' } else { 'L' };
            put(&mut path, format_args!("{pen}{:.1} {:.1}", self.at_x(*x), self.at_y(*y)));
        }
        put(&mut self.svg, format_args!(r#"<path class="line {class}" d="{path}"/>"#));
        self
    }

    /// Dots.
    pub fn dots(mut self, class: &str, points: &[(f64, f64)]) -> Self {
        for (x, y) in points {
            let (x, y) = (self.at_x(*x), self.at_y(*y));
            put(&mut self.svg, format_args!(r#"<circle class="dot {class}" cx="{x:.1}" cy="{y:.1}" r="3"/>"#));
        }
        self
    }

    /// Upright bars of this width from zero.
    pub fn bars(mut self, class: &str, width: f64, points: &[(f64, f64)]) -> Self {
        let foot = self.at_y(0.0);
        for (x, y) in points.iter().filter(|(_, y)| *y > 0.0) {
            let (left, right, top) = (self.at_x(*x), self.at_x(x + width), self.at_y(*y));
            put(
                &mut self.svg,
                format_args!(
                    r#"<rect class="bar {class}" x="{left:.1}" y="{top:.1}" width="{:.1}" height="{:.1}"/>"#,
                    (right - left - 1.0).max(1.0),
                    foot - top
                ),
            );
        }
        self
    }

    /// Words at a place given in the plot's values.
    pub fn note(mut self, x: f64, y: f64, anchor: &str, text: &str) -> Self {
        let (x, y) = (self.at_x(x), self.at_y(y));
        self.text(x, y, anchor, "note", text);
        self
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, class: &str, text: &str) {
        let text = escape(text);
        put(
            &mut self.svg,
            format_args!(r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#),
        );
    }

    /// The finished plot.
    pub fn done(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }
}

/// One row of a chart of lying bars.
pub struct Row {
    /// Beside the bar.
    pub label: String,
    /// A class for its colour.
    pub class: &'static str,
    /// Where the bar begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Behind the bar.
    pub value: String,
}

/// Bars that lie below each other, on one scale from zero.
pub fn rows(what: &str, rows: &[Row]) -> String {
    const LABEL: f64 = 250.0;
    const VALUE: f64 = 150.0;
    const STEP: f64 = 24.0;
    let most = rows.iter().map(|row| row.to).fold(1e-9, f64::max);
    let at = |value: f64| LABEL + value / most * (WIDTH - LABEL - VALUE);
    let height = rows.len() as f64 * STEP + 8.0;
    let mut svg = String::new();
    put(&mut svg, format_args!(r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{}">"#, escape(what)));
    for (n, row) in rows.iter().enumerate() {
        let y = 4.0 + n as f64 * STEP;
        let (left, right) = (at(row.from), at(row.to));
        let (label, value, class) = (escape(&row.label), escape(&row.value), row.class);
        let width = (right - left).max(if row.to > 0.0 { 2.0 } else { 0.0 });
        put(
            &mut svg,
            format_args!(
                r#"<text class="label" x="{:.1}" y="{:.1}" text-anchor="end">{label}</text>"#,
                LABEL - 10.0,
                y + 15.0
            ),
        );
        put(
            &mut svg,
            format_args!(
                r#"<line class="grid" x1="{LABEL}" x2="{:.1}" y1="{:.1}" y2="{:.1}"/>"#,
                WIDTH - VALUE,
                y + 21.5,
                y + 21.5
            ),
        );
        put(
            &mut svg,
            format_args!(
                r#"<rect class="bar {class}" x="{left:.1}" y="{:.1}" width="{width:.1}" height="15" rx="2"/>"#,
                y + 3.0
            ),
        );
        put(
            &mut svg,
            format_args!(r#"<text class="mark" x="{:.1}" y="{:.1}">{value}</text>"#, left + width + 8.0, y + 15.0),
        );
    }
    svg.push_str("</svg>");
    svg
}

/// Text that is text, whatever is in it.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn plain(value: f64) -> String {
    if (value - value.round()).abs() < 1e-6 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn put(into: &mut String, what: std::fmt::Arguments<'_>) {
    into.write_fmt(what).expect("a string takes whatever is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_puts_values_where_they_belong() {
        let plot = Plot::new("levels", 100.0, (0.0, 10.0), (0.0, 1.0));
        let (left, right) = (plot.at_x(0.0), plot.at_x(10.0));
        assert_eq!((left, right, plot.at_x(5.0)), (LEFT, WIDTH - RIGHT, (LEFT + WIDTH - RIGHT) / 2.0));
        assert_eq!((plot.at_y(0.0), plot.at_y(1.0)), (100.0 - BOTTOM, TOP));
        assert_eq!(plot.at_y(7.0), TOP, "what is off the scale stays in the picture");
    }

    #[test]
    fn names_cannot_break_out_of_the_page() {
        let row = Row { label: "<script>".into(), class: "a", from: 0.0, to: 1.0, value: "\"&".into() };
        let svg = rows("a", &[row]);
        assert!(svg.contains("&lt;script&gt;") && svg.contains("&quot;&amp;") && !svg.contains("<script>"));
    }
}
