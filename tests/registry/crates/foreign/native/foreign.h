/* What is written in other languages. */
unsigned long long mix(unsigned long long number);
unsigned long long turn(unsigned long long number);
