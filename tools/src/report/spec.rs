//! What a report was asked for: fields, order, style.

use super::cell::CellStyle;
use super::field::{Field, Kind, Scope, find};
use super::row::Subject;
use super::sort::SortKey;

/// What one of the report commands shows unless told otherwise.
#[derive(Debug)]
pub(crate) struct Defaults {
    subject: Subject,
    segments_subject: Subject,
    scope: Scope,
    fields: &'static str,
    verbose: &'static str,
    sort: &'static str,
    segments: &'static str,
    segments_verbose: &'static str,
    segments_sort: &'static str,
}

/// `pvs`.
pub(crate) static PVS: Defaults = Defaults {
    subject: Subject::Pvs,
    segments_subject: Subject::PvSegs,
    scope: Scope { prefixes: &["pv_", "vg_", "pvseg_", "seg_", "lv_"], kinds: &[Kind::Pv, Kind::Vg] },
    fields: "pv_name,vg_name,pv_fmt,pv_attr,pv_size,pv_free",
    verbose: "pv_name,vg_name,pv_fmt,pv_attr,pv_size,pv_free,dev_size,pv_uuid",
    sort: "pv_name",
    segments: "pv_name,vg_name,pv_fmt,pv_attr,pv_size,pv_free,pvseg_start,pvseg_size",
    segments_verbose: "pv_name,vg_name,pv_fmt,pv_attr,pv_size,pv_free,pvseg_start,pvseg_size,lv_name,seg_start_pe,\
                       segtype,seg_pe_ranges",
    segments_sort: "pv_name,pvseg_start",
};

/// `vgs`.
pub(crate) static VGS: Defaults = Defaults {
    subject: Subject::Vgs,
    segments_subject: Subject::Vgs,
    scope: Scope { prefixes: &["vg_", "pv_", "lv_", "seg_"], kinds: &[Kind::Vg] },
    fields: "vg_name,pv_count,lv_count,snap_count,vg_attr,vg_size,vg_free",
    verbose: "vg_name,vg_attr,vg_extent_size,pv_count,lv_count,snap_count,vg_size,vg_free,vg_uuid,vg_profile",
    sort: "vg_name",
    segments: "vg_name,pv_count,lv_count,snap_count,vg_attr,vg_size,vg_free",
    segments_verbose: "vg_name,pv_count,lv_count,snap_count,vg_attr,vg_size,vg_free",
    segments_sort: "vg_name",
};

/// `lvs`.
pub(crate) static LVS: Defaults = Defaults {
    subject: Subject::Lvs,
    segments_subject: Subject::Segs,
    scope: Scope { prefixes: &["lv_", "seg_", "vg_", "pv_"], kinds: &[Kind::Lv, Kind::Vg] },
    fields: "lv_name,vg_name,lv_attr,lv_size,pool_lv,origin,data_percent,metadata_percent,move_pv,mirror_log,\
             copy_percent,convert_lv",
    verbose: "lv_name,vg_name,seg_count,lv_attr,lv_size,lv_major,lv_minor,lv_kernel_major,lv_kernel_minor,pool_lv,\
              origin,data_percent,metadata_percent,move_pv,copy_percent,mirror_log,convert_lv,lv_uuid,lv_profile",
    sort: "vg_name,lv_name",
    segments: "lv_name,vg_name,lv_attr,stripes,segtype,seg_size",
    segments_verbose: "lv_name,vg_name,lv_attr,seg_start,seg_size,stripes,segtype,stripe_size,chunk_size",
    segments_sort: "vg_name,lv_name,seg_start",
};

/// Which notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    /// Columns.
    #[default]
    Basic,
    /// `--reportformat json`.
    Json,
}

/// The columns' look.
#[derive(Debug, Clone, Default)]
pub(crate) struct Look {
    /// Show the headings.
    pub(crate) headings: bool,
    /// Pad the columns to one width.
    pub(crate) aligned: bool,
    /// Between columns.
    pub(crate) separator: String,
    /// `LVM2_NAME=` before each value, with quotes unless the second is off.
    pub(crate) name_prefixes: Option<Quotes>,
    /// Columns as rows.
    pub(crate) transposed: bool,
}

/// `--unquoted` or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quotes {
    /// `'value'`
    Single,
    /// `value`
    None,
}

/// A report, fully described.
#[derive(Debug)]
pub(crate) struct Spec {
    base: Subject,
    /// Columns.
    pub(crate) fields: Vec<&'static Field>,
    /// Order.
    pub(crate) sort: Vec<SortKey>,
    /// `-a`.
    pub(crate) all: bool,
    /// Style of values.
    pub(crate) style: CellStyle,
    /// Style of lines.
    pub(crate) look: Look,
    /// Notation.
    pub(crate) format: Format,
}

/// A field that does not exist.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SpecError {
    /// As written.
    pub(crate) name: String,
    /// Whether it was a sort key.
    pub(crate) sorting: bool,
}

/// What the command line says about fields.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// Each `-o`.
    pub(crate) options: &'a [String],
    /// `-O`.
    pub(crate) sort: Option<&'a str>,
    /// `--segments`.
    pub(crate) segments: bool,
    /// `-v`.
    pub(crate) verbose: bool,
}

impl Spec {
    /// A report with these columns in the default style.
    ///
    /// # Errors
    /// A field is unknown.
    pub(crate) fn new(defaults: &Defaults, wanted: &Wanted<'_>) -> Result<Self, SpecError> {
        let names = match (wanted.segments, wanted.verbose) {
            (false, false) => defaults.fields,
            (false, true) => defaults.verbose,
            (true, false) => defaults.segments,
            (true, true) => defaults.segments_verbose,
        };
        let mut fields = lookup(names, defaults.scope)?;
        for option in wanted.options {
            apply(&mut fields, option, defaults.scope)?;
        }
        let default_sort = if wanted.segments { defaults.segments_sort } else { defaults.sort };
        let sort = sort_keys(wanted.sort.unwrap_or(default_sort), defaults.scope)?;
        let base = if wanted.segments { defaults.segments_subject } else { defaults.subject };
        let look = Look { headings: true, aligned: true, separator: " ".to_owned(), ..Look::default() };
        let style = CellStyle::default();
        Ok(Self { base, fields, sort, all: false, style, look, format: Format::Basic })
    }

    /// What a line must stand for so that all columns and sort keys can be filled.
    pub(crate) fn subject(&self) -> Subject {
        let keys = self.sort.iter().map(|key| key.field.kind);
        let kinds: Vec<Kind> = self.fields.iter().map(|field| field.kind).chain(keys).collect();
        self.base.widen(&kinds)
    }
}

fn apply(fields: &mut Vec<&'static Field>, option: &str, scope: Scope) -> Result<(), SpecError> {
    if let Some(more) = option.strip_prefix('+') {
        fields.extend(lookup(more, scope)?);
    } else if let Some(fewer) = option.strip_prefix('-') {
        let fewer = lookup(fewer, scope)?;
        fields.retain(|field| !fewer.iter().any(|gone| gone.name == field.name));
    } else {
        *fields = lookup(option, scope)?;
    }
    Ok(())
}

fn lookup(names: &str, scope: Scope) -> Result<Vec<&'static Field>, SpecError> {
    let mut out = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let found = find(name, scope);
        if found.is_empty() {
            return Err(SpecError { name: name.to_owned(), sorting: false });
        }
        out.extend(found);
    }
    Ok(out)
}

fn sort_keys(names: &str, scope: Scope) -> Result<Vec<SortKey>, SpecError> {
    let mut out = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let descending = name.starts_with('-');
        let bare = name.trim_start_matches(['+', '-']);
        let found = find(bare, scope);
        if found.is_empty() {
            return Err(SpecError { name: bare.to_owned(), sorting: true });
        }
        out.extend(found.into_iter().map(|field| SortKey { field, descending }));
    }
    Ok(out)
}
