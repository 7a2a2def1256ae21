package POSIX;

# Stands in for the module in C, which is not in the interpreter: numbers, limits and times. There are no processes and no signals.
use strict;
use warnings;

use Time::Local ();

our $VERSION = '2.23';

use constant {
    INT_MAX => 2147483647, INT_MIN => -2147483648, UINT_MAX => 4294967295, LONG_MAX => 2147483647, LONG_MIN => -2147483648,
    DBL_MAX => 1.7976931348623157e308, DBL_MIN => 2.2250738585072014e-308, DBL_EPSILON => 2.220446049250313e-16, DBL_DIG => 15,
    FLT_EPSILON => 1.1920928955078125e-07, EXIT_SUCCESS => 0, EXIT_FAILURE => 1, CLOCKS_PER_SEC => 1000000, PATH_MAX => 4096,
    LC_CTYPE => 0, LC_NUMERIC => 1, LC_TIME => 2, LC_COLLATE => 3, LC_MONETARY => 4, LC_MESSAGES => 5, LC_ALL => 6,
    WNOHANG => 1, WUNTRACED => 2,
};

my @DAYS = qw(Sunday Monday Tuesday Wednesday Thursday Friday Saturday);
my @MONTHS = qw(January February March April May June July August September October November December);

sub floor { my $whole = int $_[0]; return $_[0] < $whole ? $whole - 1 : $whole }
sub ceil { my $whole = int $_[0]; return $_[0] > $whole ? $whole + 1 : $whole }
sub fmod { my ($x, $y) = @_; return $x - $y * int($x / $y) }
sub pow { return $_[0]**$_[1] }
sub round { return $_[0] < 0 ? ceil($_[0] - 0.5) : floor($_[0] + 0.5) }
sub trunc { return int $_[0] }
sub fmax { return $_[0] > $_[1] ? $_[0] : $_[1] }
sub fmin { return $_[0] < $_[1] ? $_[0] : $_[1] }
sub log10 { return log($_[0]) / log 10 }
sub log2 { return log($_[0]) / log 2 }
sub tan { return sin($_[0]) / cos $_[0] }
sub isatty { return 0 }
sub setlocale { return 'C' }
sub localeconv { return { decimal_point => '.' } }
sub toupper { return uc $_[0] }
sub tolower { return lc $_[0] }
sub mktime {
    my ($sec, $min, $hour, $day, $month, $year) = @_;
    ($month, $year) = ($month - 12 * floor($month / 12), $year + floor($month / 12));
    my $days = _days($month, $year) + $day - 1;
    return Time::Local::timegm(0, 0, 0, 1, 0, $year + 1900) + $days * 86400 + $hour * 3600 + $min * 60 + $sec;
}

# Days of a year before this month.
sub _days {
    my ($month, $year) = @_;
    my @lengths = (31, 28 + _is_leap($year + 1900), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31);
    my $sum = 0;
    $sum += $lengths[$_] for 0 .. $month - 1;
    return $sum;
}

sub _is_leap { my $year = shift; return ($year % 4 == 0 && $year % 100 != 0) || $year % 400 == 0 ? 1 : 0 }

sub strftime {
    my ($format, @given) = @_;
    my ($sec, $min, $hour, $day, $month, $year) = @{ [gmtime mktime(map { $_ // 0 } @given[0 .. 5])] };
    my $time = mktime($sec, $min, $hour, $day, $month, $year);
    my ($weekday, $yearday) = (gmtime $time)[6, 7];
    my ($full, $twelve) = ($year + 1900, $hour % 12 || 12);
    my %of = (
        a => substr($DAYS[$weekday], 0, 3), A => $DAYS[$weekday], b => substr($MONTHS[$month], 0, 3), h => substr($MONTHS[$month], 0, 3),
        B => $MONTHS[$month], C => sprintf('%02d', int $full / 100), d => sprintf('%02d', $day), e => sprintf('%2d', $day),
        H => sprintf('%02d', $hour), I => sprintf('%02d', $twelve), j => sprintf('%03d', $yearday + 1), m => sprintf('%02d', $month + 1),
        M => sprintf('%02d', $min), n => "\n", p => $hour < 12 ? 'AM' : 'PM', s => $time, S => sprintf('%02d', $sec), t => "\t",
        u => $weekday || 7, w => $weekday, y => sprintf('%02d', $full % 100), Y => $full, z => '+0000', Z => 'UTC', '%' => '%',
    );
    $of{D} = $of{x} = "$of{m}/$of{d}/$of{y}";
    $of{F} = "$full-$of{m}-$of{d}";
    $of{R} = "$of{H}:$of{M}";
    $of{T} = $of{X} = "$of{R}:$of{S}";
    $of{r} = "$of{I}:$of{M}:$of{S} $of{p}";
    $of{c} = "$of{a} $of{b} $of{e} $of{T} $full";
    $format =~ s/%[EO]?(.)/$of{$1} \/\/ "%$1"/gse;
    return $format;
}

sub import {
    my ($class, @names) = @_;
    my $into = caller;
    no strict 'refs';
    my %here = map { $_ => 1 } grep { defined &{"POSIX::$_"} && !/\A_|\Aimport\z/ } keys %POSIX::;
    # The names of the language's own functions stay those.
    my @all = grep { !/\A(?:printf|sprintf|tolower|toupper)\z/ } keys %here;
    for my $name (@names ? map { /\A:/ ? @all : $_ } @names : @all) {
        (my $plain = $name) =~ s/\A&//;
        next if defined &{"CORE::$plain"};
        if (!$here{$plain}) {
            require Carp;
            Carp::croak("POSIX::$plain is not here: on Virga there are numbers, limits and times of POSIX alone");
        }
        *{"${into}::$plain"} = \&{"POSIX::$plain"};
    }
    return;
}

1;
