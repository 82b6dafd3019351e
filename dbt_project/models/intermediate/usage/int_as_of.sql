select cast({{ as_of_on() }} as date) as as_of_on
