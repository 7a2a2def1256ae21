//go:build wasip1

package wasi

import (
	"errors"
	"runtime"
	"unsafe"
)

// A Header is one name with one value.
type Header struct{ Name, Value string }

// tuple<string, list<u8>>
type entry struct{ name, nameLength, value, valueLength uint32 }

var entriesResult struct{ list, length uint32 }

// Headers reads all of them, in order, and drops the handle.
func Headers(fields int32, each func(name, value string)) {
	entries(fields, unsafe.Pointer(&entriesResult))
	found := unsafe.Slice((*entry)(unsafe.Pointer(uintptr(entriesResult.list))), entriesResult.length)
	held := given()
	for _, one := range found {
		each(copied(one.name, one.nameLength), copied(one.value, one.valueLength))
	}
	release(held)
	dropFields(fields)
}

func copied(list, length uint32) string {
	return string(unsafe.Slice((*byte)(unsafe.Pointer(uintptr(list))), length))
}

// A HeaderList collects headers for the host; it may be used again after Reset.
type HeaderList struct {
	entries []entry
	kept    []string
}

// Reset forgets all headers.
func (l *HeaderList) Reset() {
	l.entries = l.entries[:0]
	clear(l.kept)
	l.kept = l.kept[:0]
}

// Add adds one.
func (l *HeaderList) Add(name, value string) {
	// Only the two strings keep the bytes alive that the entry points to.
	l.kept = append(l.kept, name, value)
	l.entries = append(l.entries, entry{pointer(name), uint32(len(name)), pointer(value), uint32(len(value))})
}

// Fields makes the host's fields of them.
func (l *HeaderList) Fields() (int32, error) {
	var result struct{ isError, handle uint32 }
	fieldsFromList(unsafe.Pointer(unsafe.SliceData(l.entries)), uint32(len(l.entries)), unsafe.Pointer(&result))
	runtime.KeepAlive(l)
	switch {
	case result.isError&0xff == 0:
		return int32(result.handle), nil
	case result.handle&0xff == 1:
		return 0, errors.New("a header has a name that the platform sets itself")
	default:
		return 0, errors.New("a header has a name or value that HTTP does not allow")
	}
}

func pointer(text string) uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.StringData(text))))
}

//go:wasmimport wasi:http/types@0.2.10 [method]fields.entries
//go:noescape
func entries(fields int32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [static]fields.from-list
//go:noescape
func fieldsFromList(list unsafe.Pointer, length uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [resource-drop]fields
//go:noescape
func dropFields(fields int32)
