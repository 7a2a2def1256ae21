use strict;
use warnings;

print "task done @ARGV\n";
