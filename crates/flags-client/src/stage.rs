//! [`Stage`]: what takes a client time, for the spans of traces.

/// What a client does with its store and its file.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "tracing"), allow(dead_code, reason = "only traces tell of it"))]
pub(crate) enum Stage {
    /// Everything is read for the first time.
    Load,
    /// Everything is read again.
    Reload,
    /// So many records are read that changed.
    Fetch(usize),
    /// The overrides of a context are looked up, and read where they are not cached.
    Prepare,
    /// So many records are written to the file of the last known state.
    Save(usize),
}

/// A stage of a client under way: a span, where there are traces.
#[derive(Debug)]
pub(crate) struct UnderWay {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl Stage {
    /// It begins. The span is within that of whoever asks; a client's own task has none.
    #[cfg(feature = "tracing")]
    pub(crate) fn begin(self, provider: &'static str) -> UnderWay {
        macro_rules! span {
            ($name:literal $(, $field:ident = $value:expr)?) => {
                tracing::debug_span!(
                    target: "flags_client",
                    $name,
                    feature_flag.provider.name = provider
                    $(, $field = $value)?
                )
            };
        }
        let span = match self {
            Self::Load => span!("feature_flag.load"),
            Self::Reload => span!("feature_flag.reload"),
            Self::Fetch(records) => span!("feature_flag.fetch", records = records),
            Self::Prepare => span!("feature_flag.prepare"),
            Self::Save(records) => span!("feature_flag.save", records = records),
        };
        UnderWay { span }
    }

    #[cfg(not(feature = "tracing"))]
    pub(crate) fn begin(self, _: &'static str) -> UnderWay {
        UnderWay {}
    }
}

impl UnderWay {
    /// It is this future.
    pub(crate) fn of<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        #[cfg(feature = "tracing")]
        let future = tracing::Instrument::instrument(future, self.span);
        future
    }

    /// It is this job, on whatever thread.
    pub(crate) fn run<T>(self, job: impl FnOnce() -> T) -> T {
        #[cfg(feature = "tracing")]
        let _entered = self.span.entered();
        job()
    }
}
