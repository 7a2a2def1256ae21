//! The per-function compile cache: a folder shared by all apps of a platform, so that the second app on the same
//! language engine compiles only its own functions; and packs of functions, which come with a toolchain, so that the first does, too.
//!
//! The engine checks nothing of what it gets back, so only the compile process of the platform may write the folder, and only
//! the installation of a toolchain its pack.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fs, io,
    io::Write as _,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

const MAGIC: &[u8; 8] = b"VIRGAF01";
const KEY_BYTES: usize = 32;

type Key = [u8; KEY_BYTES];

/// Entries of the folder are named by a digest of the engine's key for the function.
#[derive(Debug)]
pub struct FunctionCache {
    folder: PathBuf,
    packs: Vec<Pack>,
}

impl FunctionCache {
    /// The cache in this folder, made if missing, and what is in these packs. A pack that is not there, or is none, is left out: what is
    /// in it is compiled again.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path, packs: &[PathBuf]) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let packs = packs.iter().filter_map(|pack| Pack::of(fs::read(pack).ok()?)).collect();
        Ok(Self { folder: folder.to_owned(), packs })
    }

    /// Two levels, so that no folder holds more than a few thousand names.
    fn path(&self, key: &blake3::Hash) -> PathBuf {
        let name = key.to_hex();
        let (group, rest) = name.as_str().split_at(2);
        self.folder.join(group).join(rest)
    }
}

impl wasmtime::CacheStore for FunctionCache {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let key = blake3::hash(key);
        let packed = self.packs.iter().find_map(|pack| pack.get(key.as_bytes()));
        packed.map(Cow::Borrowed).or_else(|| fs::read(self.path(&key)).ok().map(Cow::Owned))
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        let path = self.path(&blake3::hash(key));
        let write = || -> io::Result<()> {
            let folder = path.parent().unwrap_or(&self.folder);
            fs::create_dir_all(folder)?;
            // Written aside and renamed: a reader never sees half an entry.
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&value)?;
            file.persist(&path)?;
            Ok(())
        };
        write().is_ok()
    }
}

/// The functions of one program in one file: read at once, where a folder would be opened tens of thousands of times.
#[derive(Debug)]
struct Pack {
    bytes: Vec<u8>,
    places: HashMap<Key, Range<usize>>,
}

impl Pack {
    /// `None` for what is no pack, or not whole.
    fn of(bytes: Vec<u8>) -> Option<Self> {
        let mut places = HashMap::new();
        let mut at = MAGIC.len();
        if bytes.get(..at) != Some(MAGIC) {
            return None;
        }
        while at < bytes.len() {
            let head = bytes.get(at..at.checked_add(KEY_BYTES + 4)?)?;
            let (key, length) = head.split_at_checked(KEY_BYTES)?;
            let start = at.checked_add(head.len())?;
            at = start.checked_add(usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?)?;
            bytes.get(start..at)?;
            places.insert(key.try_into().ok()?, start..at);
        }
        Some(Self { bytes, places })
    }

    fn get(&self, key: &Key) -> Option<&[u8]> {
        self.bytes.get(self.places.get(key)?.clone())
    }
}

/// Keeps the functions that are compiled, for a pack.
#[derive(Debug, Default)]
pub(crate) struct Packing(Mutex<BTreeMap<Key, Vec<u8>>>);

impl Packing {
    /// The pack of what was compiled.
    pub(crate) fn pack(&self) -> Vec<u8> {
        let mut pack = MAGIC.to_vec();
        for (key, value) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let Ok(length) = u32::try_from(value.len()) else { continue };
            pack.extend(key);
            pack.extend(length.to_le_bytes());
            pack.extend(value);
        }
        pack
    }
}

impl wasmtime::CacheStore for Packing {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(blake3::hash(key).as_bytes()).cloned().map(Cow::Owned)
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(*blake3::hash(key).as_bytes(), value);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::CacheStore as _;

    #[test]
    fn what_was_packed_is_found_and_half_a_pack_is_none() {
        let packing = Packing::default();
        assert!(packing.insert(b"one", vec![1; 5]) && packing.insert(b"two", Vec::new()));
        assert_eq!(packing.get(b"one").as_deref(), Some([1; 5].as_slice()));
        let folder = tempfile::tempdir().unwrap();
        let (whole, half) = (folder.path().join("whole"), folder.path().join("half"));
        let pack = packing.pack();
        fs::write(&whole, &pack).unwrap();
        fs::write(&half, &pack[..pack.len() - 1]).unwrap();
        let cache = FunctionCache::open(&folder.path().join("own"), &[half, folder.path().join("none"), whole]).unwrap();
        assert_eq!(cache.packs.len(), 1);
        assert_eq!(cache.get(b"one").as_deref(), Some([1; 5].as_slice()));
        assert_eq!(cache.get(b"two").as_deref(), Some([].as_slice()));
        assert!(cache.get(b"three").is_none() && cache.insert(b"three", vec![3]));
        assert_eq!(cache.get(b"three").as_deref(), Some([3].as_slice()));
    }
}
