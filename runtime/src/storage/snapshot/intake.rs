//! Cutting a stream of bytes back into frames, however it was cut on the way, and verifying them.

use bytes::{Buf, Bytes, BytesMut};

use crate::storage::snapshot::format::{
    Chain, FRAME_HEADER, FormatFault, Frame, FrameHeader, Manifest, PROLOGUE,
};

/// What has come of a snapshot. Holds at most one frame.
#[derive(Default)]
pub(super) struct Intake {
    buffered: BytesMut,
    chain: Option<Chain>,
    header: Option<(FrameHeader, [u8; FRAME_HEADER])>,
    manifest: Option<Manifest>,
}

impl Intake {
    /// What goes on behind the chunks that `chain` has seen.
    pub(super) fn after(chain: Chain) -> Self {
        Self { chain: Some(chain), ..Self::default() }
    }

    /// Takes bytes; gives those that verified, in order, as they stand in a file.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Bytes>, FormatFault> {
        self.buffered.extend_from_slice(bytes);
        let mut verified = Vec::new();
        while let Some(piece) = self.next()? {
            verified.extend(piece);
        }
        Ok(verified)
    }

    /// Whose snapshot it is; `None` before the prologue has come.
    pub(super) fn chain(&self) -> Option<&Chain> {
        self.chain.as_ref()
    }

    /// Forgets what has come of a frame that is not whole.
    pub(super) fn rewind(&mut self) {
        self.buffered.clear();
        self.header = None;
    }

    /// The manifest if the snapshot is whole.
    pub(super) fn finish(self) -> Result<Manifest, FormatFault> {
        self.manifest.ok_or(FormatFault::Manifest)
    }

    fn next(&mut self) -> Result<Option<Vec<Bytes>>, FormatFault> {
        let Some(chain) = &mut self.chain else {
            let Some(prologue) = self.buffered.first_chunk::<PROLOGUE>() else { return Ok(None) };
            self.chain = Some(Chain::read(prologue)?);
            return Ok(Some(vec![self.buffered.split_to(PROLOGUE).freeze()]));
        };
        if self.manifest.is_some() {
            return if self.buffered.is_empty() { Ok(None) } else { Err(FormatFault::Manifest) };
        }
        let Some((header, raw)) = self.header else {
            let Some(&raw) = self.buffered.first_chunk::<FRAME_HEADER>() else { return Ok(None) };
            self.header = Some((chain.frame_header(raw)?, raw));
            self.buffered.advance(FRAME_HEADER);
            return Ok(Some(Vec::new()));
        };
        if self.buffered.len() < header.length {
            return Ok(None);
        }
        let bytes = self.buffered.split_to(header.length).freeze();
        if let Frame::Manifest(manifest) = chain.frame(header, bytes.clone())? {
            self.manifest = Some(manifest);
        }
        self.header = None;
        Ok(Some(vec![Bytes::copy_from_slice(&raw), bytes]))
    }
}
