use super::*;
use std::io::{Cursor, Write as _};
use zip::{ZipWriter, write::SimpleFileOptions};

fn limits() -> BitsLimits {
    BitsLimits {
        upload_bytes: 1 << 20,
        unpacked_bytes: 1 << 20,
        entries: 10,
        compression_ratio: 100,
        compression_ratio_from_bytes: 1 << 16,
    }
}

fn zip(build: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    build(&mut writer);
    writer.finish().unwrap().into_inner()
}

fn file(writer: &mut ZipWriter<Cursor<Vec<u8>>>, name: &str, content: &[u8]) {
    writer.start_file(name, SimpleFileOptions::default()).unwrap();
    writer.write_all(content).unwrap();
}

fn refusal(bytes: &[u8]) -> String {
    match inspect(Cursor::new(bytes), &limits()) {
        Err(BitsError::Refused(text)) => text,
        other => panic!("not refused: {other:?}"),
    }
}

/// Replaces every `from` by `to` (of the same length): for archives that no honest writer makes.
fn forge(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(from.len()).position(|window| window == from) {
        bytes[at + found..at + found + to.len()].copy_from_slice(to);
        at += found + to.len();
    }
    bytes
}

#[test]
fn a_sound_package_is_listed_with_sha1_and_size() {
    let bytes = zip(|writer| {
        writer.add_directory("src/", SimpleFileOptions::default()).unwrap();
        file(writer, "src/a.txt", b"hello");
        writer.add_symlink("link", "src/a.txt", SimpleFileOptions::default()).unwrap();
    });
    let entries = inspect(Cursor::new(bytes), &limits()).unwrap();
    assert_eq!(entries.iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>(), ["src", "src/a.txt", "link"]);
    let EntryKind::File(sha1) = &entries[1].kind else { panic!("a file") };
    assert_eq!(sha1[..4], [0xaa, 0xf4, 0xc6, 0x1d]);
    assert_eq!(entries[1].size_bytes, 5);
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    for name in ["../evil", "a/../../evil", "/etc/passwd", "a\\..\\evil", "C:/evil"] {
        let mask = "x".repeat(name.len());
        let bytes = forge(zip(|writer| file(writer, &mask, b"")), mask.as_bytes(), name.as_bytes());
        let text = refusal(&bytes);
        assert!(text.starts_with("entry '"), "{name}: {text}");
    }
}

#[test]
fn symlinks_that_leave_and_files_below_symlinks_are_refused() {
    let out = zip(|writer| writer.add_symlink("a/out", "../../etc", SimpleFileOptions::default()).unwrap());
    assert!(refusal(&out).contains("leads out of the app's folder"));
    let absolute = zip(|writer| writer.add_symlink("out", "/etc", SimpleFileOptions::default()).unwrap());
    assert!(refusal(&absolute).contains("absolute"));
    let below = zip(|writer| {
        writer.add_symlink("dir", "other", SimpleFileOptions::default()).unwrap();
        file(writer, "dir/file", b"x");
    });
    assert!(refusal(&below).contains("'dir', which is not a folder"));
}

#[test]
fn duplicates_are_refused_also_after_normalising() {
    let bytes = zip(|writer| {
        file(writer, "a/b", b"1");
        file(writer, "a//b", b"2");
    });
    assert!(refusal(&bytes).contains("more than once"));
    let same = forge(
        zip(|writer| {
            file(writer, "one", b"1");
            file(writer, "two", b"2");
        }),
        b"two",
        b"one",
    );
    assert!(refusal(&same).contains("duplicate"));
}

#[test]
fn sizes_and_counts_over_the_limits_are_refused_by_name() {
    let bomb = zip(|writer| file(writer, "zeros", &vec![0; 512 << 10]));
    assert!(refusal(&bomb).contains("entry 'zeros' unpacks to more than 100 times"));
    let noise: Vec<u8> = (0u32..400_000).flat_map(|n| Sha1::digest(n.to_le_bytes())[..3].to_vec()).collect();
    assert!(refusal(&zip(|writer| file(writer, "noise", &noise))).contains("over the limit of 1048576 unpacked bytes"));
    let many = zip(|writer| (0..11).for_each(|n| file(writer, &n.to_string(), b"")));
    assert_eq!(refusal(&many), "the package has 11 entries; the limit is 10 entries");
}

#[test]
fn a_size_that_lies_is_refused() {
    let honest = zip(|writer| file(writer, "liar", &[7; 300]));
    let lying = forge(honest, &300u32.to_le_bytes(), &200u32.to_le_bytes());
    assert!(refusal(&lying).contains("liar"));
}

#[test]
fn things_that_are_no_zip_are_refused() {
    for bytes in [&b""[..], b"hello", &[0; 100]] {
        assert!(refusal(bytes).contains("not a sound zip"));
    }
    let whole = zip(|writer| file(writer, "a", b"content"));
    refusal(&whole[..whole.len() - 4]);
}

#[test]
fn device_files_are_refused() {
    let bytes = zip(|writer| file(writer, "null", b""));
    // Mode S_IFREG 0o100644 to S_IFCHR 0o020644, in the high half of the external attributes.
    let device = forge(bytes, &[0xa4, 0x81], &[0xa4, 0x21]);
    assert!(refusal(&device).contains("neither a file"));
}

#[test]
fn a_folder_marked_as_a_regular_file_is_a_folder_as_the_cf_cli_writes_it() {
    let bytes = zip(|writer| {
        writer.start_file("css/", SimpleFileOptions::default()).unwrap();
        file(writer, "css/a.css", b"");
    });
    // Directory bit 0o040755 to S_IFREG 0o100755, should the writer have set it.
    let entries = inspect(Cursor::new(forge(bytes, &[0xed, 0x41], &[0xed, 0x81])), &limits()).unwrap();
    assert!(matches!(entries[0].kind, EntryKind::Folder));
}

#[test]
fn a_directory_without_end_is_refused_before_it_is_held() {
    let many = BitsLimits { entries: 1_000_000, ..limits() };
    let bytes = zip(|writer| {
        let comment = "c".repeat(60_000);
        for number in 0..1_200 {
            let options = SimpleFileOptions::default().into_full_options().with_file_comment(comment.clone());
            writer.start_file(number.to_string(), options).unwrap();
        }
    });
    match inspect(Cursor::new(bytes), &many) {
        Err(BitsError::Refused(text)) => assert!(text.contains("directory exceeds the limit"), "{text}"),
        other => panic!("not refused: {other:?}"),
    }
}
