/* The half of the program that is C. */
#include <stdint.h>

#ifndef SALT
#define SALT 1
#endif

uint64_t mix(uint64_t number) {
    uint64_t steps = SALT;
    while (number > 1) {
        number = number % 2 ? 3 * number + 1 : number / 2;
        steps++;
    }
    return steps;
}
