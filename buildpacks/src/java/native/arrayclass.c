/* Classes of arrays that the translator did not foresee. Objects name their class by its address in units of eight bytes, which the
   size of a class is no multiple of on a machine with pointers of four: each has a place here that is. */
#include "arrayclass.h"
#include "arrayclass_gen.h"
#include "log.h"
#include <stdlib.h>

typedef union Place {
    TEAVM_OBJECT_CLASS object;
    TeaVM_Class class;
    int64_t unit;
} Place;

static alignas(8) Place places[TEAVM_DYNAMIC_CLASS_POOL_CAPACITY + 1];
static int32_t taken = 0;

int32_t teavm_isSupertypeOfArray(TeaVM_Class *upper, TeaVM_Class *lower) {
    return lower->itemType != NULL && upper->itemType->isSupertypeOf(upper->itemType, lower->itemType);
}

TeaVM_Class *teavm_createArrayClass(TeaVM_Class *item) {
    if (taken >= TEAVM_DYNAMIC_CLASS_POOL_CAPACITY) {
        teavm_printWString(L"java.lang.OutOfMemoryError: too many classes of arrays\n");
        abort();
    }
    Place *place = &places[taken++];
    TeaVM_Class *class = &place->class;
    /* The methods of an array are those of an object; all else is its own. */
    place->object = TEAVM_OBJECT_CLASS_PTR;
    *class = (TeaVM_Class) {
        .next = teavm_firstClass,
        .size = sizeof(void *),
        .flags = 1,
        .itemType = item,
        .isSupertypeOf = &teavm_isSupertypeOfArray,
        .superclass = &TEAVM_OBJECT_CLASS_PTR.parent,
    };
    teavm_firstClass = class;
    item->arrayType = class;
    return class;
}

TeaVM_Class *teavm_getArrayClass(TeaVM_Class *item) {
    return item->arrayType != NULL ? item->arrayType : teavm_createArrayClass(item);
}

int teavm_arrayClassCount() { return taken; }

TeaVM_Class *teavm_arrayClass(int32_t index) { return &places[index].class; }
