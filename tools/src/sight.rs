//! What a session sees: volume groups, free PVs, files that are none.

use crate::args::LvName;
use crate::failure::{Done, Failure};
use crate::files::volume::Mount;
use crate::report::model::Model;
use crate::session::Session;
use crate::ui::Ui;

impl Session {
    /// The picture that reports show.
    pub(crate) fn model(&self, _ui: &mut Ui<'_>) -> Done<Model> {
        Ok(Model::default())
    }

    /// Opens a volume.
    pub(crate) fn mount(&self, _ui: &mut Ui<'_>, _name: &LvName, _write: bool) -> Done<Mount> {
        Err(Failure::new("no"))
    }
}
