# Everything is a string: fills arrays and dictionaries, splits and joins lists, and sorts them.
set count [lindex $argv 0]
set state 1
proc pick {n} {
    global state
    set state [expr {($state * 1103515245 + 12345) % 2147483648}]
    return [expr {($state / 65536) % $n}]
}
set people [dict create]
for {set i 0} {$i < $count} {incr i} {
    set name "name[pick 20000]"
    set fields [split "a[pick 100],b[pick 1000],c$i" ,]
    lappend fields [string repeat x [pick 40]]
    dict lappend people $name [join $fields ";"]
    set seen([pick 30000]) $fields
}
set sum 0
foreach name [lsort [dict keys $people]] {
    foreach line [dict get $people $name] { set sum [expr {($sum * 31 + [string length $line]) % 1000003}] }
}
puts "$sum [dict size $people] [array size seen]"
