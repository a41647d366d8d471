;; What no compiler makes: the first letter of the input says which.
(module
  (import "cpe:activity/object-store@0.1.0" "[static]bucket.open"
    (func $open (param i32 i32 i32)))
  (import "cpe:activity/object-store@0.1.0" "[method]reader.read"
    (func $read (param i32 i32 i32)))
  (import "cpe:activity/object-store@0.1.0" "[resource-drop]bucket" (func $drop (param i32)))
  (import "[export]test:hostile/things" "[resource-new]thing"
    (func $new (param i32) (result i32)))

  (memory (export "memory") 2)
  (table $table 1 funcref)
  (data (i32.const 16) "media")
  (data (i32.const 32) "null")

  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "test:hostile/things#[constructor]thing") (result i32)
    (call $new (i32.const 0)))

  (func $ok (param $at i32) (param $length i32) (result i32)
    (i32.store (i32.const 1024) (i32.const 0))
    (i32.store (i32.const 1028) (local.get $at))
    (i32.store (i32.const 1032) (local.get $length))
    (i32.const 1024))
  (func $down (param $depth i64) (result i64)
    (i64.add (call $down (i64.add (local.get $depth) (i64.const 1))) (local.get $depth)))

  (func (export "cpe:activity/handler@0.1.0#run") (param $in i32) (param $length i32) (result i32)
    (local $do i32) (local $bucket i32)
    (local.set $do (i32.load8_u (local.get $in)))

    ;; t: grow a table until denied, then trap.
    (if (i32.eq (local.get $do) (i32.const 0x74)) (then
      (loop $more (br_if $more
        (i32.ne (i32.const -1) (table.grow $table (ref.null func) (i32.const 1000)))))
      unreachable))
    ;; d: call deeper and deeper.
    (if (i32.eq (local.get $do) (i32.const 0x64)) (then
      (drop (call $down (i64.const 0)))))
    ;; g: a result of 1 GiB, which costs the guest nothing to have.
    (if (i32.eq (local.get $do) (i32.const 0x67)) (then
      (drop (memory.grow (i32.const 16384)))
      (return (call $ok (i32.const 65536) (i32.const 1073741824)))))
    ;; o: a result beyond its own memory.
    (if (i32.eq (local.get $do) (i32.const 0x6f)) (then
      (return (call $ok (i32.const 65536) (i32.const 1073741824)))))
    ;; u: a result that is no text.
    (if (i32.eq (local.get $do) (i32.const 0x75)) (then
      (i32.store8 (i32.const 8192) (i32.const 0xff))
      (return (call $ok (i32.const 8192) (i32.const 1)))))
    ;; f: a handle that was never given.
    (if (i32.eq (local.get $do) (i32.const 0x66)) (then
      (call $read (i32.const 12345) (i32.const 1) (i32.const 2048))))
    ;; r: as many resources of its own as there can be.
    (if (i32.eq (local.get $do) (i32.const 0x72)) (then
      (loop $more (drop (call $new (i32.const 1))) (br $more))))
    ;; w: spend all time in one instruction after the other.
    (if (i32.eq (local.get $do) (i32.const 0x77)) (then
      (drop (memory.grow (i32.const 1024)))
      (loop $more
        (memory.copy (i32.const 0x2000000) (i32.const 0x10000) (i32.const 0x1ff0000))
        (br $more))))

    (call $open (i32.const 16) (i32.const 5) (i32.const 2048))
    (local.set $bucket (i32.load (i32.const 2052)))
    ;; x: a bucket as a reader.
    (if (i32.eq (local.get $do) (i32.const 0x78)) (then
      (call $read (local.get $bucket) (i32.const 1) (i32.const 2048))))
    ;; y: a handle that was given back.
    (if (i32.eq (local.get $do) (i32.const 0x79)) (then
      (call $drop (local.get $bucket))
      (call $drop (local.get $bucket))))
    (call $ok (i32.const 32) (i32.const 4)))
)
