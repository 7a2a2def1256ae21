;; The extension module `_virga`. Its only function makes libc and the adapter to WASI 0.2 forget what they hold of the host, as
;; componentize-py does at the end of its own snapshot: handles of the staging's host mean nothing to the host that runs the app.
(module
  (@dylink.0 (mem-info (memory 128 4) (table 1 0)))
  (import "env" "memory" (memory 0))
  (import "env" "__indirect_function_table" (table 0 funcref))
  (import "env" "__memory_base" (global $memory i32))
  (import "env" "__table_base" (global $table i32))
  (import "env" "PyModule_Create2" (func $create_module (param i32 i32) (result i32)))
  (import "env" "PyBool_FromLong" (func $bool (param i32) (result i32)))
  (import "env" "__wasilibc_reset_preopens" (func $reset_preopens))
  (import "wasi_snapshot_preview1" "reset_adapter_state" (func $reset_adapter))

  (func $forget (param $self i32) (param $arguments i32) (result i32)
    (call $reset_adapter)
    (call $reset_preopens)
    (call $bool (i32.const 1)))

  (func (export "PyInit__virga") (result i32)
    ;; At 0 a PyModuleDef: reference count, m_name, m_size (-1: no state), m_methods.
    (i32.store (global.get $memory) (i32.const 1))
    (i32.store offset=20 (global.get $memory) (i32.add (global.get $memory) (i32.const 96)))
    (i32.store offset=28 (global.get $memory) (i32.const -1))
    (i32.store offset=32 (global.get $memory) (i32.add (global.get $memory) (i32.const 56)))
    ;; At 56 a PyMethodDef: ml_name, ml_meth, ml_flags (METH_NOARGS); what follows it is zero and ends the list.
    (i32.store offset=56 (global.get $memory) (i32.add (global.get $memory) (i32.const 104)))
    (i32.store offset=60 (global.get $memory) (global.get $table))
    (i32.store offset=64 (global.get $memory) (i32.const 4))
    ;; PYTHON_API_VERSION
    (call $create_module (global.get $memory) (i32.const 1013)))

  (elem (global.get $table) func $forget)
  (data (offset (i32.add (global.get $memory) (i32.const 96))) "_virga\00\00forget\00"))
