/* Is linked with the library, and uses it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

uint32_t checksum(uint32_t sum, const uint8_t *data, size_t length);

int main(int argc, char **argv) {
    uint8_t data[256];
    uint32_t total = 1;
    for (int i = 0; i < 256; i++) data[i] = (uint8_t)i;
    for (int round = 0; round < atoi(argv[argc - 1]); round++) total = checksum(total, data, sizeof data);
    printf("%08x\n", total);
    return 0;
}
