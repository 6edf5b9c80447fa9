//! The crash rig.
