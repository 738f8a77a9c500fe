//! The peer does what the comparison takes for granted.

#[test]
fn echoes_frames_under_any_split() {
    check::verify_peer(env!("CARGO_BIN_EXE_compio-echo"));
}
