extern "C" {
#include "foreign.h"
}

template <typename T> static T rotated(T number, int by) {
    return number << by | number >> (sizeof(T) * 8 - by);
}

unsigned long long turn(unsigned long long number) {
    return rotated(number, number % 2 ? 3 : 5);
}
