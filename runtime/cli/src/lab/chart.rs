//! Drawings as SVG: lines and dots over two axes. Text and numbers only, no script, no outside file.

/// The sides of the drawing, and the room around the axes.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
const COLOURS: [&str; 10] = [
    "#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22",
    "#17becf",
];

/// How numbers become places on an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Equal distances for equal differences.
    Linear(f64, f64),
    /// Equal distances for equal ratios.
    Logarithmic(f64, f64),
}

/// How points are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Joined.
    Line,
    /// Joined by dashes.
    Dashes,
    /// Each alone.
    Dots,
}

/// Points that belong together.
pub(super) struct Series {
    /// Shown beside the drawing; empty for none.
    pub(super) name: String,
    pub(super) mark: Mark,
    /// Which of the colours.
    pub(super) colour: usize,
    pub(super) points: Vec<(f64, f64)>,
}

/// A drawing.
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) across: (&'static str, Scale, Vec<f64>),
    pub(super) up: (&'static str, Scale, Vec<f64>),
    pub(super) series: Vec<Series>,
}

impl Scale {
    /// The place of a number, 0 at the beginning and 1 at the end.
    fn place(self, number: f64) -> f64 {
        let place = match self {
            Self::Linear(least, most) => (number - least) / (most - least),
            Self::Logarithmic(least, most) => (number.max(least) / least).ln() / (most / least).ln(),
        };
        place.clamp(0.0, 1.0)
    }
}

impl Chart {
    /// The drawing's text.
    pub(super) fn svg(&self) -> String {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
             <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{}</text>\n",
            escaped(&self.title)
        );
        self.axes(&mut svg);
        for series in &self.series {
            self.draw(&mut svg, series);
        }
        let named = self.series.iter().filter(|series| !series.name.is_empty());
        for (row, series) in named.enumerate() {
            let (x, y) = (WIDTH - RIGHT + 14.0, TOP + 8.0 + 18.0 * row as f64);
            let colour = COLOURS[series.colour % COLOURS.len()];
            svg.push_str(&format!(
                "<rect x=\"{x}\" y=\"{:.0}\" width=\"12\" height=\"4\" fill=\"{colour}\"/><text x=\"{:.0}\" y=\"{y:.0}\">{}</text>\n",
                y - 6.0,
                x + 18.0,
                escaped(&series.name)
            ));
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn axes(&self, svg: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in &self.across.2 {
            let x = self.x(*tick);
            svg.push_str(&format!(
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\" stroke=\"#eee\"/>\
                 <text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{tick}</text>\n",
                bottom + 16.0
            ));
        }
        for tick in &self.up.2 {
            let y = self.y(*tick);
            svg.push_str(&format!(
                "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#eee\"/>\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{tick}</text>\n",
                LEFT - 6.0,
                y + 4.0
            ));
        }
        svg.push_str(&format!(
            "<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"#333\"/>\
             <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>\
             <text transform=\"translate(16 {:.0}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
            (LEFT + right) / 2.0,
            HEIGHT - 12.0,
            escaped(self.across.0),
            (TOP + bottom) / 2.0,
            escaped(self.up.0)
        ));
    }

    fn draw(&self, svg: &mut String, series: &Series) {
        let colour = COLOURS[series.colour % COLOURS.len()];
        let places = series.points.iter().map(|&(x, y)| (self.x(x), self.y(y)));
        if series.mark == Mark::Dots {
            for (x, y) in places {
                svg.push_str(&format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>\n"));
            }
            return;
        }
        let points: Vec<String> = places.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let dashes = if series.mark == Mark::Dashes { " stroke-dasharray=\"5 4\"" } else { "" };
        svg.push_str(&format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"{dashes}/>\n",
            points.join(" ")
        ));
    }

    fn x(&self, number: f64) -> f64 {
        LEFT + self.across.1.place(number) * (WIDTH - RIGHT - LEFT)
    }

    fn y(&self, number: f64) -> f64 {
        HEIGHT - BOTTOM - self.up.1.place(number) * (HEIGHT - BOTTOM - TOP)
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_stand_where_the_scales_put_them() {
        let chart = Chart {
            title: "a < b".into(),
            across: ("x", Scale::Logarithmic(1.0, 100.0), vec![1.0, 10.0, 100.0]),
            up: ("y", Scale::Linear(0.0, 2.0), vec![0.0, 2.0]),
            series: vec![Series {
                name: "s".into(),
                mark: Mark::Line,
                colour: 0,
                points: vec![(10.0, 1.0), (1e9, 2.0)],
            }],
        };
        let svg = chart.svg();
        assert!(svg.contains("points=\"315.0,205.0 570.0,40.0\""), "{svg}");
        assert!(svg.contains("a &lt; b") && !svg.contains("<script"));
    }
}
