//! Options of the report commands.

use anyfs_lvm::pv::units::Units;

use crate::failure::{Done, Failure};
use crate::report::{Defaults, Format, Quotes, Spec, SpecError, Wanted};

/// How a report is written.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent switch of the command line")]
pub(crate) struct ReportArgs {
    /// Also show internal volumes and files that are no PVs
    #[arg(short, long)]
    pub(crate) all: bool,
    /// One line per segment
    #[arg(long)]
    segments: bool,
    /// Columns: a list, +list to add, -list to leave out; `-o help` lists them all
    #[arg(short, long, value_name = "FIELD,..", allow_hyphen_values = true)]
    options: Vec<String>,
    /// Sort by these columns, each with - for descending
    #[arg(short = 'O', long, value_name = "[-]FIELD,..", allow_hyphen_values = true)]
    sort: Option<String>,
    /// No line of headings
    #[arg(long)]
    noheadings: bool,
    /// Between columns (switches alignment off)
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    separator: Option<String>,
    /// Align the columns also with --separator
    #[arg(long)]
    aligned: bool,
    /// h, r, b, s, k, m, g, t, p or e; upper case for powers of 1000
    #[arg(long, value_name = "UNIT")]
    units: Option<String>,
    /// Sizes without their letter
    #[arg(long)]
    nosuffix: bool,
    /// `LVM2_NAME='value'`
    #[arg(long)]
    nameprefixes: bool,
    /// No quotes with --nameprefixes
    #[arg(long)]
    unquoted: bool,
    /// Columns as rows
    #[arg(long)]
    rows: bool,
    /// 1 and 0 instead of words
    #[arg(long)]
    binary: bool,
    /// basic or json
    #[arg(long, value_name = "FORMAT")]
    reportformat: Option<String>,
    /// Accepted as LVM does, without effect
    #[arg(long, hide = true)]
    unbuffered: bool,
    /// Accepted as LVM does, without effect
    #[arg(short = 'P', long, hide = true)]
    partial: bool,
}

impl ReportArgs {
    /// Whether the fields were asked for (`-o help`).
    pub(crate) fn help(&self) -> bool {
        let asked = |text: &str| matches!(text.trim_start_matches('+'), "help" | "?");
        self.options.iter().any(|option| asked(option)) || self.sort.as_deref().is_some_and(asked)
    }

    /// The report these options describe.
    pub(crate) fn spec(&self, defaults: &Defaults, verbose: bool) -> Done<Spec> {
        let wanted = Wanted { options: &self.options, sort: self.sort.as_deref(), segments: self.segments, verbose };
        let mut spec = Spec::new(defaults, &wanted).map_err(|error| unknown_field(&error))?;
        spec.all = self.all;
        spec.style.no_suffix = self.nosuffix;
        spec.style.binary = self.binary;
        if let Some(units) = &self.units {
            spec.style.units = Units::parse(units).map_err(|_| Failure::argument("--units", units, ""))?;
        }
        spec.look.headings = !self.noheadings;
        if let Some(separator) = &self.separator {
            spec.look.separator.clone_from(separator);
            spec.look.aligned = self.aligned;
        }
        if self.nameprefixes {
            spec.look.name_prefixes = Some(if self.unquoted { Quotes::None } else { Quotes::Single });
        }
        spec.look.transposed = self.rows;
        spec.format = match self.reportformat.as_deref() {
            None | Some("basic") => Format::Basic,
            Some("json") => Format::Json,
            Some(other) => return Err(Failure::argument("--reportformat", other, "")),
        };
        Ok(spec)
    }
}

fn unknown_field(error: &SpecError) -> Failure {
    let what = if error.sorting { "Unrecognised sort field" } else { "Unrecognised field" };
    let failure = Failure::new(format!("{what}: {}", error.name));
    match crate::suggest::closest(&error.name, crate::report::field::all().map(|field| field.name)) {
        Some(name) => failure.hint(format!("did you mean {name}? `-o help' lists all fields")),
        None => failure.hint("`-o help' lists all fields"),
    }
}
