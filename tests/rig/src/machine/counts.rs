//! What a campaign did.

use std::fmt;

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident: $text:literal;)*) => {
        /// How often what happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counts {
            /// Adds another's counts.
            pub(super) fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }
        }

        impl fmt::Display for Counts {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let parts = [$((self.$name, $text)),*];
                let text: Vec<String> = parts.iter().map(|(count, what)| format!("{count} {what}")).collect();
                f.write_str(&text.join(", "))
            }
        }
    };
}

counts! {
    /// Sequences run to their end.
    cases: "cases";
    /// Operations, those around the volume among them.
    operations: "operations";
    /// Of these, transactions that were kept.
    transactions: "transactions";
    /// Power losses and kills.
    crashes: "crashes";
    /// Power losses in the middle of an operation.
    inside: "of them inside an operation";
    /// Crashes that lost something that had returned.
    losing: "losing unsynced work";
    /// Ends without a crash: closed, or dropped.
    remounts: "remounts";
    /// Times that the volume grew.
    extends: "extends";
    /// PVs added and removed.
    pvs: "PVs added or removed";
    /// Times that a PV was taken away.
    missing: "PVs missing";
    /// Times that all copies of the metadata, or the right to give one up, went with it.
    refused_partial: "of them refused";
    /// Reads that succeeded meanwhile.
    read_partial: "partial reads";
    /// Reads that named the PV.
    read_missing: "reads naming the PV";
    /// Times that the volume was filled.
    full: "volumes filled";
    /// Times that the host's disk was nearly full.
    squeezed: "full disks";
    /// Times that the volume stopped because of that, and came back.
    stopped: "stops";
    /// Calls refused for want of room.
    refused: "refused calls";
}
