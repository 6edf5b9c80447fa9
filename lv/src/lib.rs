//! The filesystem of a logical volume.
