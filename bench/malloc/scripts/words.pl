# A text job: makes pages of words, counts them, cuts and joins lines with patterns, and sorts records of records.
use strict;
use warnings;

my $pages = shift // 100000;
my ($state, %count, @records) = (1);
sub pick { $state = ($state * 1103515245 + 12345) % 2147483648; return int($state / 65536) % $_[0] }

for my $page (1 .. $pages) {
    my $line = join ' ', map { 'word' . pick(5000) } 1 .. 4 + pick(8);
    $count{$_}++ for split / /, $line;
    (my $short = $line) =~ s/word(\d)(\d*)/$1-$2/g;
    push @records, { page => $page, text => $short, parts => [ split /-/, $short ] };
    splice @records, pick(scalar @records), 1 if @records > 20000;
}
my @sorted = sort { $b->{text} cmp $a->{text} || $a->{page} <=> $b->{page} } @records;
my @top = (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[ 0 .. 4 ];
my $sum = 0;
$sum = ($sum * 31 + length($_->{text}) + @{ $_->{parts} }) % 1000003 for @sorted;
print "$sum @top\n";
