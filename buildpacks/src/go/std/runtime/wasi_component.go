// What a Go program needs of its runtime to be a component: memory for what the host hands over, goroutines that wait for the
// host's pollables, and main as a function that is called.

//go:build wasip1

package runtime

import (
	"internal/runtime/sys"
	"unsafe"
)

// Regions for lists that the host returns. They lie outside of the heap, since the host asks for memory while a call of ours is
// under way, where nothing may be allocated on the heap. They are used again and never given back.
type wasiRegion struct {
	_    sys.NotInHeap
	next *wasiRegion
	size uintptr
	used uintptr
}

const (
	wasiRegionHead = 16
	wasiRegionSize = 64 << 10
)

var (
	wasiFree *wasiRegion
	// What the call under way has been given, newest first.
	wasiGiven *wasiRegion
	// A place that the call under way offers for its list of bytes.
	wasiPlace     uintptr
	wasiPlaceSize uintptr
)

// The adapter's own state. It must come from here: were the adapter to grow the memory itself, sbrk would hand out the same pages.
//
//go:wasmexport cabi_realloc_adapter
//go:nosplit
func wasiReallocAdapter(_, _, _, size uint32) uint32 {
	return uint32(uintptr(sbrk(uintptr(size))))
}

//go:wasmexport cabi_realloc
//go:nosplit
func wasiRealloc(old, oldSize, align, size uint32) uint32 {
	var given uintptr
	if old == 0 && wasiPlace != 0 && uintptr(size) <= wasiPlaceSize {
		given = wasiPlace
		wasiPlace = 0
	} else {
		given = wasiGive(uintptr(size), uintptr(align))
	}
	if old != 0 {
		memmove(unsafe.Pointer(given), unsafe.Pointer(uintptr(old)), uintptr(min(oldSize, size)))
	}
	return uint32(given)
}

//go:nosplit
func wasiGive(size, align uintptr) uintptr {
	region := wasiGiven
	if region != nil {
		from := (region.used + align - 1) &^ (align - 1)
		if from+size <= region.size {
			region.used = from + size
			return uintptr(unsafe.Pointer(region)) + from
		}
	}
	needed := size + wasiRegionHead
	link := &wasiFree
	for *link != nil && (*link).size < needed {
		link = &(*link).next
	}
	region = *link
	if region != nil {
		*link = region.next
	} else {
		bytes := max((needed+wasiRegionSize-1)&^(wasiRegionSize-1), wasiRegionSize)
		region = (*wasiRegion)(sbrk(bytes))
		if region == nil {
			throw("out of memory for what the host returns")
		}
		region.size = bytes
	}
	region.next = wasiGiven
	wasiGiven = region
	region.used = wasiRegionHead + size
	return uintptr(unsafe.Pointer(region)) + wasiRegionHead
}

// Where the next call's list of bytes goes, if it fits.
//
//go:linkname wasi_place internal/wasi.place
func wasi_place(place unsafe.Pointer, size uintptr) {
	wasiPlace, wasiPlaceSize = uintptr(place), size
}

// Ends a call that returned lists: what it was given stays until it is released.
//
//go:linkname wasi_given internal/wasi.given
func wasi_given() uintptr {
	given := wasiGiven
	wasiGiven = nil
	wasiPlace = 0
	return uintptr(unsafe.Pointer(given))
}

//go:linkname wasi_release internal/wasi.release
func wasi_release(given uintptr) {
	for region := (*wasiRegion)(unsafe.Pointer(given)); region != nil; {
		next := region.next
		region.next = wasiFree
		wasiFree = region
		region = next
	}
}

// Goroutines that wait for pollables of the host. The scheduler asks for them where it asks for files (netpoll).
var (
	wasiWaiting   []guintptr
	wasiPollables []int32
	wasiReady     []uint32
)

// Parks the goroutine until the pollable is ready, or [wasi_wake] names it.
//
//go:linkname wasi_wait internal/wasi.wait
func wasi_wait(pollable int32) {
	netpollGenericInit()
	// One place more, for the clock. All of it is made here, for nothing may be allocated while polling.
	if needed := len(wasiWaiting) + 2; cap(wasiPollables) < needed {
		pollables := make([]int32, len(wasiPollables), 2*needed)
		copy(pollables, wasiPollables)
		wasiPollables = pollables
		wasiReady = make([]uint32, 2*needed)
	}
	gp := getg()
	wasiWaiting = append(wasiWaiting, 0)
	wasiWaiting[len(wasiWaiting)-1].set(gp)
	wasiPollables = append(wasiPollables, pollable)
	netpollAdjustWaiters(1)
	gopark(nil, nil, waitReasonIOWait, traceBlockNet, 2)
}

// Wakes who waits for the pollable, which is about to go.
//
//go:linkname wasi_wake internal/wasi.wake
func wasi_wake(pollable int32) {
	for i := 0; i < len(wasiPollables); i++ {
		if wasiPollables[i] == pollable {
			gp := wasiLeave(i)
			netpollAdjustWaiters(-1)
			goready(gp, 2)
			return
		}
	}
}

func wasiLeave(i int) *g {
	gp := wasiWaiting[i].ptr()
	last := len(wasiWaiting) - 1
	wasiWaiting[i] = wasiWaiting[last]
	wasiPollables[i] = wasiPollables[last]
	wasiWaiting = wasiWaiting[:last]
	wasiPollables = wasiPollables[:last]
	return gp
}

// As netpoll, for the goroutines above.
func wasiNetpoll(delay int64) (gList, int32) {
	var list gList
	found := int32(0)
	if delay == 0 {
		for i := len(wasiPollables) - 1; i >= 0; i-- {
			if wasi_ready(wasiPollables[i]) != 0 {
				list.push(wasiLeave(i))
				found--
			}
		}
		return list, found
	}
	count := len(wasiPollables)
	polled := wasiPollables[:count:cap(wasiPollables)]
	clock := int32(-1)
	if delay > 0 {
		clock = wasi_subscribe_duration(uint64(delay))
		polled = polled[:count+1]
		polled[count] = clock
	}
	var result struct{ list, length uint32 }
	wasi_place(unsafe.Pointer(&wasiReady[0]), uintptr(len(wasiReady))*4)
	wasi_poll(&polled[0], uint32(len(polled)), unsafe.Pointer(&result))
	wasi_release(wasi_given())
	if clock >= 0 {
		wasi_drop_pollable(clock)
	}
	for _, at := range wasiReady[:result.length] {
		if int(at) < count {
			wasiPollables[at] = -1
		}
	}
	// Descending, as leaving moves the last into the place of the one that left.
	for i := count - 1; i >= 0; i-- {
		if wasiPollables[i] < 0 {
			list.push(wasiLeave(i))
			found--
		}
	}
	return list, found
}

//go:wasmimport wasi:io/poll@0.2.10 [method]pollable.ready
//go:noescape
func wasi_ready(pollable int32) int32

//go:wasmimport wasi:io/poll@0.2.10 [resource-drop]pollable
//go:noescape
func wasi_drop_pollable(pollable int32)

//go:wasmimport wasi:io/poll@0.2.10 poll
//go:noescape
func wasi_poll(pollables *int32, count uint32, result unsafe.Pointer)

//go:wasmimport wasi:clocks/monotonic-clock@0.2.10 subscribe-duration
//go:noescape
func wasi_subscribe_duration(nanoseconds uint64) int32

// The program's main, for who starts it as a goroutine.
//
//go:linkname wasi_main internal/wasi.Main
func wasi_main() {
	fn := main_main // indirect, as in main: the linker does not know its address yet
	fn()
}

// A worker or a task: main, with the words of the command as its arguments.
//
//go:wasmexport wasi:cli/run@0.2.10#run
func wasiRun() int32 {
	wasi_main()
	runExitHooks(0)
	return 0
}
