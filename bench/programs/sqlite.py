"""Writes the statements that the sqlite3 shell runs in benchmarks and in the demo: always the same bytes."""
import sys


def statements(rows: int) -> str:
    return f"""
pragma journal_mode=off;
create table person(id integer primary key, name text, city text, age int, note text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows})
  insert into person select i, 'name-' || (i * 7919 % 100003), 'city-' || (i * 104729 % 997), i * 31 % 90, hex(i * 2654435761) from n;
create index by_city on person(city);
create index by_name on person(name);
select city, count(*), avg(age), group_concat(substr(name, 6, 3)) from person group by city order by 2 desc, 1 limit 5;
select count(*) from person a join person b on a.city = b.city and a.age = b.age where a.id < 2000;
update person set note = upper(name) || '-' || lower(city) where age > 40;
select length(group_concat(note, ',')) from person where age between 41 and 60;
with recursive words(w, rest) as (select '', (select group_concat(name, ' ') from person where id < 3000) || ' '
  union all select substr(rest, 1, instr(rest, ' ') - 1), substr(rest, instr(rest, ' ') + 1) from words where rest <> '')
  select count(distinct w) from words;
select max(json_extract(json_object('a', id, 'b', json_array(name, city)), '$.b[1]')) from person where id % 3 = 0;
delete from person where age < 20;
select count(*), sum(length(note)) from person;
"""


if __name__ == "__main__":
    sys.stdout.write(statements(int(sys.argv[1]) if len(sys.argv) > 1 else 40000))
