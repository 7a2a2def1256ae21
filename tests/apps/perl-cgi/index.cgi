#!/usr/bin/perl
# A CGI script, for any web server that speaks CGI.
use strict;
use warnings;

our $count;

sub head { my ($status, $kind) = @_; print "Status: $status\r\nContent-Type: ", $kind || 'text/plain', "\r\n\r\n" }

my ($method, $path) = @ENV{qw(REQUEST_METHOD PATH_INFO)};
$path = '/' if !length $path;
print STDERR "$method $path\n";

if ($path eq '/') {
    head('200 OK');
    print "Hello from CGI in Perl on Virga\n";
} elsif ($path =~ m{\A/env/(\w+)\z}) {
    head(defined $ENV{$1} ? '200 OK' : '404 Not Found');
    print $ENV{$1} // "no such variable\n";
} elsif ($method eq 'POST' && $path eq '/echo') {
    head('200 OK', $ENV{CONTENT_TYPE} || 'application/octet-stream');
    print while defined($_ = do { local $/ = \16384; <STDIN> });
} elsif ($path eq '/stream') {
    head('200 OK');
    local $| = 1;
    print "chunk $_\n" for 1 .. 5;
} elsif ($path eq '/random') {
    head('200 OK');
    printf '%08x', int rand 2**32 for 1 .. 4;
    print "\n";
} elsif ($path eq '/count') {
    head('200 OK');
    print ++$count, "\n";
} else {
    head('404 Not Found');
    print "404: nothing at $path\n";
    exit;
}
