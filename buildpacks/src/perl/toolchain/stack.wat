;; Runs before anything else of the joined module; see virga_perl.c.
(module
  (import "virga" "virga_begin_stack" (func $begin))
  (func $start (call $begin))
  (start $start))
