#include "foreign.h"

unsigned long long mix(unsigned long long number) {
    return number % 3 == 0 ? number / 3 : number * 7 + 1;
}
