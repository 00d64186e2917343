define i32 @_RNvCs1_3app4main(i32 %x) {
start:
  %c = icmp eq i32 %x, 3
  br i1 %c, label %a, label %b
a:
  ret i32 1
b:
  %f = inttoptr i32 %x to ptr
  %r = call i32 %f()
  ret i32 %r
}
define internal i32 @_ZN3app5local17h0123456789abcdefE(i32 %x) {
  ret i32 %x
}
define ptr @keep() {
  ret ptr @_ZN3app5local17h0123456789abcdefE
}
