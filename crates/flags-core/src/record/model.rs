//! [`Model`]: what the record types have in common.

use std::fmt::Debug;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Key, Kind, Record};
use crate::model::{Flag, Override, RolloutPhase, ScheduledChange, Segment, TimeSchedule};
use crate::open::Extra;
use crate::time::Timestamp;

/// A type of record: [`Flag`], [`Override`], [`ScheduledChange`], [`TimeSchedule`], [`RolloutPhase`] or
/// [`Segment`].
///
/// Sealed: the kinds of records are those of the wire form.
pub trait Model:
    sealed::Sealed + Serialize + DeserializeOwned + Debug + Clone + PartialEq + Send + Sync + 'static
{
    /// The kind of record that this type is.
    const KIND: Kind;

    /// This as a record of any kind.
    fn into_record(self: Arc<Self>) -> Record;

    /// A record of any kind as this type; `None` when it is of another kind.
    fn from_record(record: Record) -> Option<Arc<Self>>;

    /// Its primary name.
    fn key(&self) -> Key;

    /// When it was created and last changed.
    fn timestamps_mut(&mut self) -> (&mut Option<Timestamp>, &mut Option<Timestamp>);

    /// The members that this version does not know.
    fn extra(&self) -> &Extra;

    /// The same, to be changed.
    fn extra_mut(&mut self) -> &mut Extra;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! model {
    ($Type:ident, $self:ident => $key:expr) => {
        impl sealed::Sealed for $Type {}

        impl Model for $Type {
            const KIND: Kind = Kind::$Type;

            fn into_record(self: Arc<Self>) -> Record {
                Record::$Type(self)
            }

            fn from_record(record: Record) -> Option<Arc<Self>> {
                match record {
                    Record::$Type(record) => Some(record),
                    _ => None,
                }
            }

            fn key(&$self) -> Key {
                $key
            }

            fn timestamps_mut(&mut self) -> (&mut Option<Timestamp>, &mut Option<Timestamp>) {
                (&mut self.created_at, &mut self.updated_at)
            }

            fn extra(&self) -> &Extra {
                &self.extra
            }

            fn extra_mut(&mut self) -> &mut Extra {
                &mut self.extra
            }
        }

        impl From<$Type> for Record {
            fn from(record: $Type) -> Self {
                Arc::new(record).into_record()
            }
        }
    };
}

model!(Flag, self => Key::Flag(self.key.clone()));
model!(Override, self => Key::Override(self.flag_id, self.entity_type.clone(), self.entity_id.clone()));
model!(ScheduledChange, self => Key::ScheduledChange(self.id));
model!(TimeSchedule, self => Key::TimeSchedule(self.id));
model!(RolloutPhase, self => Key::RolloutPhase(self.id));
model!(Segment, self => Key::Segment(self.id));
