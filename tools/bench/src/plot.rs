//! Curves as pictures.

use std::path::{Path, PathBuf};

use anyfs_lvm_tools::bench::{Curve, Curves, OURS};
use plotters::prelude::*;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot draw: {why}", path.display())]
pub(crate) struct PlotError {
    path: PathBuf,
    why: String,
}

/// One chart's width and height in pixels.
const SIZE: (u32, u32) = (520, 340);

/// Draws all rows that follow one thing, two beside each other.
pub(crate) fn plot(curves: &Curves, path: &Path) -> Result<(), PlotError> {
    let failed = |why: String| PlotError { path: path.to_owned(), why };
    let drawn: Vec<&Curve> = curves.curves.iter().filter(|curve| !points(curve).is_empty()).collect();
    let rows = drawn.len().div_ceil(2).max(1);
    let height = SIZE.1.saturating_mul(u32::try_from(rows).unwrap_or(1));
    let columns = drawn.len().clamp(1, 2);
    let width = SIZE.0.saturating_mul(u32::try_from(columns).unwrap_or(1));
    let area = SVGBackend::new(path, (width, height)).into_drawing_area();
    area.fill(&WHITE).map_err(|error| failed(error.to_string()))?;
    for (curve, place) in drawn.iter().zip(area.split_evenly((rows, columns))) {
        chart(curve, curves.kind.axis(), &place).map_err(|error| failed(error.to_string()))?;
    }
    area.present().map_err(|error| failed(error.to_string()))
}

fn points(curve: &Curve) -> Vec<(f64, f64)> {
    curve.lines.iter().flat_map(|line| line.points.iter().copied()).collect()
}

/// A colour that is always the same side's.
fn colour(side: &str) -> RGBColor {
    match side {
        "host" => RGBColor(120, 120, 120),
        OURS => RGBColor(0, 90, 181),
        _ => RGBColor(220, 50, 32),
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn chart(curve: &Curve, axis: &str, place: &Area<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let all = points(curve);
    let range = |of: fn(&(f64, f64)) -> f64| {
        let low = all.iter().map(of).fold(f64::INFINITY, f64::min);
        (low, all.iter().map(of).fold(0.0, f64::max))
    };
    let ((left, right), (_, top)) = (range(|point| point.0), range(|point| point.1));
    // What grows doubles or more from point to point; a rate is read from zero.
    let mut points: Vec<f64> = all.iter().map(|point| point.0).collect();
    points.sort_by(f64::total_cmp);
    points.dedup();
    let across = (left..right.max(left * 1.01)).log_scale().with_key_points(points);
    let title = format!("{}, {}", curve.row.item, curve.row.unit.text());
    let mut chart = ChartBuilder::on(place)
        .caption(title, ("sans-serif", 15))
        .margin(12)
        .x_label_area_size(38)
        .y_label_area_size(64)
        .build_cartesian_2d(across, 0.0..top * 1.35)?;
    chart
        .configure_mesh()
        .x_desc(axis)
        .light_line_style(WHITE)
        .y_label_formatter(&|value| amount(*value))
        .x_label_formatter(&|value| amount(*value))
        .draw()?;
    for line in &curve.lines {
        let colour = colour(&line.side);
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)).point_size(3))?
            .label(line.side.clone())
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x.saturating_add(18), y)], colour.stroke_width(2)));
    }
    // Above all lines.
    let corner = SeriesLabelPosition::UpperRight;
    chart.configure_series_labels().position(corner).background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    Ok(())
}

/// A number on an axis, short.
fn amount(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{:.1}M", value / 1e6),
        size if size >= 1e4 => format!("{:.0}k", value / 1e3),
        size if size >= 1.0 || size == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use anyfs_lvm_tools::bench::measure::{Row, Target, Unit};
    use anyfs_lvm_tools::bench::{CurveKind, Line};

    use super::*;

    #[test]
    fn a_picture_has_axes_and_a_legend() {
        let row = Row { key: "write", item: "writing", unit: Unit::MibPerSecond, target: Target::Open };
        let line =
            |side: &str, high: f64| Line { side: side.to_owned(), points: vec![(1.0, high), (16.0, high / 2.0)] };
        let curve = Curve { row, lines: vec![line("host", 100.0), line(OURS, 70.0)] };
        let curves = Curves { kind: CurveKind::Pvs, curves: vec![curve.clone(), curve.clone(), curve] };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.svg");
        plot(&curves, &path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("<svg width=\"1040\" height=\"680\""), "{}", &text[..80]);
        for words in ["writing, MiB/s", "PVs", "host", OURS] {
            assert_eq!(text.matches(&format!("{words}\n")).count(), 3, "{words}");
        }
        let nowhere = folder.path().join("none/a.svg");
        assert!(plot(&curves, &nowhere).is_err());
    }

    #[test]
    fn numbers_on_an_axis_are_short() {
        for (value, text) in [(0.0, "0"), (0.25, "0.25"), (950.0, "950"), (25_000.0, "25k"), (2_500_000.0, "2.5M")] {
            assert_eq!(amount(value), text);
        }
    }
}
