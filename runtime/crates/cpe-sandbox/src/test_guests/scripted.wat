;; A guest that does what the first letter of its input says; the rest is a key.
(module
  (import "cpe:activity/heartbeat@0.1.0" "beat" (func $beat (param i32 i32) (result i32)))
  (import "cpe:activity/context@0.1.0" "current" (func $current (param i32)))
  (import "cpe:activity/object-store@0.1.0" "[static]bucket.open"
    (func $open (param i32 i32 i32)))
  (import "cpe:activity/object-store@0.1.0" "[method]bucket.head"
    (func $head (param i32 i32 i32 i32)))
  (import "cpe:activity/object-store@0.1.0" "[method]bucket.get"
    (func $get (param i32 i32 i32 i32 i32 i64 i64 i32)))
  (import "cpe:activity/object-store@0.1.0" "[method]bucket.put"
    (func $put (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "cpe:activity/object-store@0.1.0" "[method]bucket.delete"
    (func $delete (param i32 i32 i32 i32)))
  (import "cpe:activity/object-store@0.1.0" "[method]reader.read"
    (func $read (param i32 i32 i32)))
  (import "cpe:activity/object-store@0.1.0" "[method]writer.write"
    (func $write (param i32 i32 i32 i32)))
  (import "cpe:activity/object-store@0.1.0" "[method]writer.finish"
    (func $finish (param i32 i32)))

  (memory (export "memory") 40)
  (data (i32.const 16) "media")
  (data (i32.const 32) "nulltest.failedit was askedno-such-keyno-such-bucketaccess-denied")
  (data (i32.const 97) "invalid-argumentunavailable")

  ;; What the host passes in lies from here on; nothing is ever freed.
  (global $heap (mut i32) (i32.const 4096))
  (func $alloc (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (block $room
      (br_if $room (i32.le_u (global.get $heap) (i32.shl (memory.size) (i32.const 16))))
      (br_if $room (i32.ne (i32.const -1) (memory.grow
        (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1)))))
      unreachable)
    (local.get $at))

  ;; The result lies at 1024, answers of the host at 2048.
  (func $ok (param $at i32) (param $length i32) (result i32)
    (i32.store (i32.const 1024) (i32.const 0))
    (i32.store (i32.const 1028) (local.get $at))
    (i32.store (i32.const 1032) (local.get $length))
    (i32.const 1024))
  (func $null (result i32) (call $ok (i32.const 32) (i32.const 4)))
  (func $fail (param $at i32) (param $length i32) (param $why i32) (param $why-length i32)
    (result i32)
    (i32.store (i32.const 1024) (i32.const 1))
    (i32.store (i32.const 1028) (local.get $at))
    (i32.store (i32.const 1032) (local.get $length))
    (i32.store (i32.const 1036) (local.get $why))
    (i32.store (i32.const 1040) (local.get $why-length))
    (i32.store (i32.const 1044) (i32.const 0))
    (i32.const 1024))

  ;; Whether the host's answer is an error.
  (func $refused (result i32) (i32.load8_u (i32.const 2048)))
  (func $handle (result i32) (i32.load (i32.const 2052)))
  ;; Fails with the error's name, and with its text where it has one.
  (func $pass-on (result i32)
    (local $case i32) (local $why i32) (local $why-length i32)
    (local.set $case (i32.load8_u (i32.const 2052)))
    (if (i32.ge_u (local.get $case) (i32.const 2)) (then
      (local.set $why (i32.load (i32.const 2056)))
      (local.set $why-length (i32.load (i32.const 2060)))))
    (if (i32.eq (local.get $case) (i32.const 0)) (then (return
      (call $fail (i32.const 59) (i32.const 11) (local.get $why) (local.get $why-length)))))
    (if (i32.eq (local.get $case) (i32.const 1)) (then (return
      (call $fail (i32.const 70) (i32.const 14) (local.get $why) (local.get $why-length)))))
    (if (i32.eq (local.get $case) (i32.const 2)) (then (return
      (call $fail (i32.const 84) (i32.const 13) (local.get $why) (local.get $why-length)))))
    (if (i32.eq (local.get $case) (i32.const 3)) (then (return
      (call $fail (i32.const 97) (i32.const 16) (local.get $why) (local.get $why-length)))))
    (call $fail (i32.const 113) (i32.const 11) (local.get $why) (local.get $why-length)))

  ;; Writes `$mib` MiB under the key and finishes. Whether that worked.
  (func $store (param $bucket i32) (param $key i32) (param $length i32) (param $mib i32)
    (result i32)
    (local $writer i32)
    (call $put (local.get $bucket) (local.get $key) (local.get $length)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
      (i32.const 0) (i32.const 2048))
    (if (call $refused) (then (return (i32.const 0))))
    (local.set $writer (call $handle))
    (loop $more
      (call $write (local.get $writer) (i32.const 65536) (i32.const 1048576) (i32.const 2048))
      (if (call $refused) (then (return (i32.const 0))))
      (local.set $mib (i32.sub (local.get $mib) (i32.const 1)))
      (br_if $more (i32.gt_s (local.get $mib) (i32.const 0))))
    (call $finish (local.get $writer) (i32.const 2048))
    (i32.eqz (call $refused)))

  (func (export "cpe:activity/handler@0.1.0#run") (param $in i32) (param $length i32) (result i32)
    (local $do i32) (local $key i32) (local $bucket i32) (local $reader i32) (local $sum i32)
    (local.set $do (i32.load8_u (local.get $in)))
    (local.set $key (i32.add (local.get $in) (i32.const 1)))

    ;; n: nothing. e: echo. f: fail. t: trap.
    (if (i32.eq (local.get $do) (i32.const 0x6e)) (then (return (call $null))))
    (if (i32.eq (local.get $do) (i32.const 0x65)) (then (return
      (call $ok (local.get $in) (local.get $length)))))
    (if (i32.eq (local.get $do) (i32.const 0x66)) (then (return
      (call $fail (i32.const 36) (i32.const 11) (i32.const 47) (i32.const 12)))))
    (if (i32.eq (local.get $do) (i32.const 0x74)) (then unreachable))
    ;; l: loop for ever.
    (if (i32.eq (local.get $do) (i32.const 0x6c)) (then (loop $for-ever (br $for-ever))))
    ;; m: grow until denied, then trap as an allocator does.
    (if (i32.eq (local.get $do) (i32.const 0x6d)) (then
      (loop $more (br_if $more (i32.ne (i32.const -1) (memory.grow (i32.const 16)))))
      unreachable))
    ;; o: a result of 2 MiB.
    (if (i32.eq (local.get $do) (i32.const 0x6f)) (then
      (memory.fill (i32.const 65536) (i32.const 0x20) (i32.const 2097152))
      (return (call $ok (i32.const 65536) (i32.const 2097152)))))
    ;; b: beat until told to cancel.
    (if (i32.eq (local.get $do) (i32.const 0x62)) (then
      (loop $again
        (br_if $again (i32.eqz (call $beat (local.get $key)
          (i32.sub (local.get $length) (i32.const 1))))))
      (return (call $null))))
    ;; c: the client's name.
    (if (i32.eq (local.get $do) (i32.const 0x63)) (then
      (call $current (i32.const 2048))
      (return (call $ok (i32.load (i32.const 2092)) (i32.load (i32.const 2096))))))

    (call $open (i32.const 16) (i32.const 5) (i32.const 2048))
    (if (call $refused) (then (return (call $pass-on))))
    (local.set $bucket (call $handle))
    (local.set $length (i32.sub (local.get $length) (i32.const 1)))

    ;; h: head. d: delete.
    (if (i32.eq (local.get $do) (i32.const 0x68)) (then
      (call $head (local.get $bucket) (local.get $key) (local.get $length) (i32.const 2048))
      (if (call $refused) (then (return
        (i32.store (i32.const 2052) (i32.load8_u (i32.const 2056)))
        (i32.store (i32.const 2056) (i32.load (i32.const 2060)))
        (i32.store (i32.const 2060) (i32.load (i32.const 2064)))
        (call $pass-on))))
      (return (call $null))))
    (if (i32.eq (local.get $do) (i32.const 0x64)) (then
      (call $delete (local.get $bucket) (local.get $key) (local.get $length) (i32.const 2048))
      (if (call $refused) (then (return (call $pass-on))))
      (return (call $null))))
    ;; g: read the whole, and answer its first bytes.
    (if (i32.eq (local.get $do) (i32.const 0x67)) (then
      (call $get (local.get $bucket) (local.get $key) (local.get $length)
        (i32.const 0) (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 2048))
      (if (call $refused) (then (return (call $pass-on))))
      (local.set $reader (call $handle))
      (loop $more
        (call $read (local.get $reader) (i32.const 4194304) (i32.const 2048))
        (if (call $refused) (then (return (call $pass-on))))
        (if (i32.eqz (local.get $sum)) (then (local.set $sum (i32.load (i32.const 2052)))))
        (br_if $more (i32.load (i32.const 2056))))
      (return (call $ok (local.get $sum) (i32.const 2)))))
    ;; p, q, r, s: put 1 MiB, then succeed, trap, fail, loop.
    ;; P, Q, R, S: the same with 17 MiB.
    (if (i32.eqz (call $store (local.get $bucket) (local.get $key) (local.get $length)
          (select (i32.const 1) (i32.const 17) (i32.and (local.get $do) (i32.const 0x20)))))
      (then (return (call $pass-on))))
    (local.set $do (i32.or (local.get $do) (i32.const 0x20)))
    (if (i32.eq (local.get $do) (i32.const 0x71)) (then unreachable))
    (if (i32.eq (local.get $do) (i32.const 0x72)) (then (return
      (call $fail (i32.const 36) (i32.const 11) (i32.const 47) (i32.const 12)))))
    (if (i32.eq (local.get $do) (i32.const 0x73)) (then (loop $for-ever (br $for-ever))))
    (call $null))
)
