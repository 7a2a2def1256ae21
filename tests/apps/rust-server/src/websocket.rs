//! As much of WebSocket (RFC 6455) as an echo needs: the handshake, short and medium frames, ping and close.

/// The answer that switches protocols.
pub fn handshake(key: &str) -> String {
    let digest = sha1(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        base64(&digest)
    )
}

/// Echoes every whole frame; `false` after a close.
pub fn answer(read: &mut Vec<u8>) -> (Vec<u8>, bool) {
    let mut answer = Vec::new();
    while let Some((opcode, payload, length)) = frame(read) {
        read.drain(..length);
        let opcode = if opcode == 9 { 10 } else { opcode };
        answer.push(0x80 | opcode);
        match payload.len() {
            short @ 0..=125 => answer.push(short as u8),
            medium => {
                answer.push(126);
                answer.extend_from_slice(&(medium as u16).to_be_bytes());
            }
        }
        answer.extend_from_slice(&payload);
        if opcode == 8 {
            return (answer, false);
        }
    }
    (answer, true)
}

fn frame(read: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let opcode = read.first()? & 0x0f;
    let (length, at) = match read.get(1)? & 0x7f {
        126 => (usize::from(u16::from_be_bytes([*read.get(2)?, *read.get(3)?])), 4),
        length => (usize::from(length), 2),
    };
    let mask = read.get(at..at + 4)?;
    let payload = read.get(at + 4..at + 4 + length)?;
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    Some((opcode, payload, at + 4 + length))
}

fn sha1(text: &[u8]) -> [u8; 20] {
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let mut padded = text.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend_from_slice(&(text.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks(64) {
        let mut words: Vec<u32> = block.chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect();
        for at in 16..80 {
            words.push((words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16]).rotate_left(1));
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (at, word) in words.iter().enumerate() {
            let (f, k) = match at {
                0..20 => ((b & c) | (!b & d), 0x5a82_7999),
                20..40 => (b ^ c ^ d, 0x6ed9_eba1),
                40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6),
            };
            let next = a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(k).wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (held, new) in state.iter_mut().zip([a, b, c, d, e]) {
            *held = held.wrapping_add(new);
        }
    }
    let mut digest = [0; 20];
    for (place, word) in digest.chunks_mut(4).zip(state) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            text.push(if place <= group.len() { char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]) } else { '=' });
        }
    }
    text
}
