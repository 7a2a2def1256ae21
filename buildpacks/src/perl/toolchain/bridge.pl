# PSGI and CGI over the functions of Virga, which take and give numbers: a text is its address and length. The file of the app is
# VIRGA_PERL_APP. A PSGI app is loaded once, by the first request of each instance; a CGI script is run for each request.
package Virga;

use strict;
use warnings;

# To end the interpreter would end the instance: a script ends by this instead.
BEGIN {
    no warnings 'once';
    *CORE::GLOBAL::exit = sub (;$) { die bless { status => $_[0] // 0 }, 'Virga::Exit' };
}

# A file is compiled into the package that runs it.
sub run {
    package main;
    return do $_[0];
}

my $file = $ENV{VIRGA_PERL_APP};
my $piece = Virga::piece();
my $app;

unshift @INC, '/lib', '/local/lib/perl5', '/.virga/lib';
$0 = $file;
$| = 1;

sub at { my ($address, $length) = @_; return $length ? unpack("P$length", pack 'L', $address) : '' }

sub address { return unpack 'L', pack 'P', $_[0] }

# Bytes to the client; what is no bytes is told and encoded.
sub put {
    my $bytes = shift;
    return if !defined $bytes || $bytes eq '';
    if (!utf8::downgrade($bytes, 1)) {
        warn "wide characters in the answer of $file; they are sent as UTF-8\n";
        utf8::encode($bytes);
    }
    Virga::write(address($bytes), length $bytes) == 0 or die "the client has gone\n";
}

sub head {
    my ($status, @headers) = @_;
    $status =~ /\A(\d{3})/ && Virga::status($1) == 0 or die "the status '$status' cannot be sent\n";
    while (my ($name, $value) = splice @headers, 0, 2) {
        ($name, $value) = map { my $text = $_ // ''; utf8::encode($text) if !utf8::downgrade($text, 1); $text } $name, $value;
        # The platform frames the body itself.
        next if lc $name eq 'transfer-encoding' || lc $name eq 'connection';
        Virga::header(address($name), length $name, address($value), length $value) == 0
            or die "the header '$name' cannot be sent\n";
    }
}

sub body {
    my $all = '';
    while ((my $got = Virga::read()) != 0) {
        die "the client went away before its request was whole\n" if $got < 0;
        $all .= at($piece, $got);
    }
    return $all;
}

# The names of CGI, which PSGI has as well.
sub names {
    my ($method, $target, $path, $query, $scheme, $authority, @headers) = @_;
    $path =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
    my ($host) = $authority =~ /\A(.*?)(?::\d+)?\z/;
    my %names = (
        REQUEST_METHOD => $method, REQUEST_URI => $target, SCRIPT_NAME => '', PATH_INFO => $path, QUERY_STRING => $query,
        SERVER_PROTOCOL => 'HTTP/1.1', SERVER_NAME => $host ne '' ? $host : 'localhost', SERVER_PORT => $ENV{PORT} // 8080,
        HTTP_HOST => $authority, REMOTE_ADDR => '127.0.0.1',
    );
    while (my ($name, $value) = splice @headers, 0, 2) {
        (my $key = uc $name) =~ tr/-/_/;
        # A header of that name is how the environment of a script would be taken over (httpoxy).
        next if $key eq 'PROXY' || $key eq 'HOST';
        $key = "HTTP_$key" if $key ne 'CONTENT_TYPE' && $key ne 'CONTENT_LENGTH';
        $names{$key} = defined $names{$key} ? "$names{$key}, $value" : $value;
    }
    $names{HTTPS} = 'on' if $scheme eq 'https';
    $names{REMOTE_ADDR} = $1 if ($names{HTTP_X_FORWARDED_FOR} // '') =~ /\A\s*([^,\s]+)/;
    return %names;
}

sub load {
    local $0 = $file;
    local ($@, $!);
    my $loaded = run($file);
    die $@ if $@;
    die "$file cannot be read: $!\n" if !defined $loaded && $!;
    $loaded = $loaded->to_app if ref $loaded && ref $loaded ne 'CODE' && eval { $loaded->can('to_app') };
    return $loaded if ref $loaded eq 'CODE';
    return sub { $loaded->call(@_) } if ref $loaded && eval { $loaded->can('call') };
    die "$file must give the app, a function (PSGI), as its last value: sub { my \$env = shift; return [200, [], ['text']] }\n";
}

sub send_body {
    my $content = shift;
    if (ref $content eq 'ARRAY') {
        put($_) for @$content;
        return;
    }
    my $is_plain = ref $content eq 'GLOB' || ref \$content eq 'GLOB';
    local $/ = \65536;
    while (defined(my $next = $is_plain ? readline $content : $content->getline)) {
        put($next);
        Virga::flush();
    }
    $is_plain ? close $content : $content->close;
}

sub psgi {
    my @request = @_;
    $app //= load();
    my $body = body();
    open my $input, '<', \$body or die "the body cannot be read: $!\n";
    my %env = (
        names(@request), 'psgi.version' => [1, 1], 'psgi.url_scheme' => $request[4], 'psgi.input' => $input,
        'psgi.errors' => *STDERR{IO}, 'psgi.multithread' => !!0, 'psgi.multiprocess' => !!0, 'psgi.run_once' => !!0,
        'psgi.nonblocking' => !!0, 'psgi.streaming' => !!1, 'psgix.input.buffered' => !!1,
    );
    my $answer = $app->(\%env);
    my $responded = 0;
    my $respond = sub {
        my ($status, $headers, $content) = @{ $_[0] };
        $responded = 1;
        head($status, @$headers);
        return send_body($content) if defined $content;
        Virga::flush();
        return bless {}, 'Virga::Writer';
    };
    if (ref $answer eq 'CODE') {
        $answer->($respond);
        die "$file answered with a function that did not respond\n" if !$responded;
    } elsif (ref $answer eq 'ARRAY') {
        $respond->([@$answer[0, 1], $answer->[2] // []]);
    } else {
        die "$file answered with something else than [status, headers, body]\n";
    }
}

sub cgi {
    my @request = @_;
    my $body = body();
    my %names = names(@request);
    $names{CONTENT_LENGTH} //= length $body;
    local %ENV = (%ENV, %names, GATEWAY_INTERFACE => 'CGI/1.1', SCRIPT_FILENAME => $file);
    local ($0, @ARGV) = ($file);
    local $| = 0;
    # The script is compiled again for each request.
    local $SIG{__WARN__} = sub { print STDERR $_[0] if $_[0] !~ /\ASubroutine \S+ redefined at / };
    open local *STDIN, '<', \$body or die "the body cannot be read: $!\n";
    my $out = tie *STDOUT, 'Virga::Out';
    my $done = eval {
        local ($@, $!);
        my $value = run($file);
        die $@ if $@;
        die "$file cannot be read: $!\n" if !defined $value && $! && !-r $file;
        1;
    };
    my $error = $@;
    my $is_whole = eval { $out->finish; 1 };
    $error = $@ if $done && !$is_whole;
    undef $out;
    untie *STDOUT;
    die $error if !($done && $is_whole) && ref $error ne 'Virga::Exit';
}

sub handle {
    my @request = split /\0/, at(@_), -1;
    pop @request;
    my $done = eval { $file =~ /\.psgi\z/ ? psgi(@request) : cgi(@request); 1 };
    return 1 if $done;
    my $error = $@;
    print STDERR ref $error eq 'Virga::Exit' ? "the app called exit\n" : $error;
    die "the app failed\n";
}

# What a PSGI app that streams writes to.
package Virga::Writer;

sub write { my (undef, $bytes) = @_; Virga::put($bytes); Virga::flush(); return }

sub close { return }

# The output of a CGI script: a head, then the body.
package Virga::Out;

sub TIEHANDLE { return bless { head => '' }, shift }

sub PRINT {
    my ($self, @texts) = @_;
    my $text = join $, // '', @texts;
    $text .= $\ if defined $\;
    return $self->take($text);
}

sub PRINTF { my ($self, $format, @values) = @_; return $self->take(sprintf $format, @values) }

sub WRITE {
    my ($self, $bytes, $length, $from) = @_;
    my $part = substr $bytes, $from // 0, $length // length $bytes;
    $self->take($part);
    return length $part;
}

sub BINMODE { my ($self, $layer) = @_; $self->{is_text} = 1 if ($layer // '') =~ /utf-?8/i; return 1 }

sub FILENO { return 1 }

sub CLOSE { return 1 }

sub take {
    my ($self, $text) = @_;
    utf8::encode($text) if $self->{is_text};
    if (!$self->{has_head}) {
        $self->{head} .= $text;
        return 1 if $self->{head} !~ /\A(.*?)\r?\n\r?\n(.*)\z/s;
        ($text, my $head) = ($2, $1);
        $self->begin($head);
    }
    Virga::put($text);
    Virga::flush() if $|;
    return 1;
}

sub begin {
    my ($self, $head) = @_;
    my ($status, @headers);
    for my $line (split /\r?\n/, $head) {
        my ($name, $value) = $line =~ /\A([^\s:]+):\s*(.*?)\s*\z/ or die "the script's output does not begin with headers: '$line'\n";
        if (lc $name eq 'status') {
            $status = $value;
            next;
        }
        $status //= 302 if lc $name eq 'location';
        push @headers, $name, $value;
    }
    $self->{has_head} = 1;
    Virga::head($status // 200, @headers);
}

sub finish {
    my $self = shift;
    die "the script's output has no head: it must print headers, then an empty line\n" if !$self->{has_head};
}

1;
