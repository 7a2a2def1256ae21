# A PSGI app, as it would run under plackup or Starman.
use strict;
use warnings;

my $count = 0;

sub text { my ($status, $text) = @_; return [$status, ['Content-Type' => 'text/plain'], [$text]] }

my %routes = (
    'GET /' => sub { text(200, "Hello from PSGI on Virga\n") },
    'POST /echo' => sub {
        my $env = shift;
        my $kind = $env->{CONTENT_TYPE} || 'application/octet-stream';
        return [200, ['Content-Type' => $kind], $env->{'psgi.input'}];
    },
    'GET /stream' => sub {
        return sub {
            my $writer = shift->([200, ['Content-Type' => 'text/plain']]);
            $writer->write("chunk $_\n") for 1 .. 5;
            $writer->close;
        };
    },
    'GET /random' => sub { text(200, join('', map { sprintf '%08x', int rand 2**32 } 1 .. 4) . "\n") },
    'GET /count' => sub { text(200, ++$count . "\n") },
);

sub {
    my $env = shift;
    my ($method, $path) = @$env{qw(REQUEST_METHOD PATH_INFO)};
    print "$method $path\n";
    if ($method eq 'GET' && $path =~ m{\A/env/(\w+)\z}) {
        return defined $ENV{$1} ? text(200, $ENV{$1}) : text(404, "no such variable\n");
    }
    my $route = $routes{"$method $path"} || sub { text(404, "404: nothing at $path\n") };
    return $route->($env);
};
