package Storable;

# Stands in for the module in C, which is not in the interpreter: copies are made, files and packed texts are not.
use strict;
use warnings;

use Exporter 'import';
use Scalar::Util qw(blessed refaddr reftype);

our $VERSION = '3.37';
our @EXPORT_OK = qw(dclone freeze nfreeze thaw store nstore retrieve lock_store lock_nstore lock_retrieve store_fd nstore_fd fd_retrieve);
our @EXPORT = qw(store retrieve);

sub dclone { return copy($_[0], {}) }

sub copy {
    my ($value, $seen) = @_;
    return $value if !ref $value;
    my $known = $seen->{ refaddr $value };
    return $known if defined $known;
    my ($type, $class, $made) = (reftype $value, blessed $value);
    if ($type eq 'HASH') {
        $made = $seen->{ refaddr $value } = {};
        $made->{$_} = copy($value->{$_}, $seen) for keys %$value;
    } elsif ($type eq 'ARRAY') {
        $made = $seen->{ refaddr $value } = [];
        push @$made, copy($_, $seen) for @$value;
    } elsif ($type eq 'SCALAR' || $type eq 'REF') {
        my $inner;
        $made = $seen->{ refaddr $value } = \$inner;
        $inner = copy($$value, $seen);
    } elsif ($type eq 'REGEXP') {
        return $value;
    } else {
        require Carp;
        Carp::croak("Can't store $type items");
    }
    bless $made, $class if defined $class;
    return $made;
}

for my $name (grep { $_ ne 'dclone' } @EXPORT_OK) {
    no strict 'refs';
    *$name = sub {
        require Carp;
        Carp::croak("Storable::$name is not here: on Virga only dclone is; use JSON::PP");
    };
}

1;
